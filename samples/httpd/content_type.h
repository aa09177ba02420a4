#ifndef SAMPLES_HTTPD_CONTENT_TYPE_H_
#define SAMPLES_HTTPD_CONTENT_TYPE_H_

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The media type for a file of this name, by its extension whatever the case, or
 * "application/octet-stream". Text is taken to be UTF-8. The string is static.
 */
const char *content_type_of(const char *name);

/* Whether what is of that type tends to become smaller by compression. */
bool content_type_compresses(const char *type);

#ifdef __cplusplus
}
#endif

#endif

#ifndef SAMPLES_HTTPD_VALIDATORS_H_
#define SAMPLES_HTTPD_VALIDATORS_H_

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "samples/httpd/http_date.h"

#ifdef __cplusplus
extern "C" {
#endif

struct evkeyvalq;

/* What tells one state of a file from another (RFC 9110 section 8.8). */
struct validators {
  char etag[48]; /* strong, from size and modification time: "\"5f-17b9c4a1…\"" */
  char last_modified[HTTP_DATE_LEN]; /* an HTTP date */
  time_t modified;                   /* the same in seconds */
};

enum precondition {
  PRECONDITION_HOLDS,        /* send the file */
  PRECONDITION_NOT_MODIFIED, /* 304: the client has it */
  PRECONDITION_FAILED,       /* 412 */
};

/* Describes a file. A modification time in the future is given as now (section 8.8.2.1). */
void validators_init(struct validators *out_validators, uint64_t size, struct timespec modified);

/* Makes the ETag that of the file under a coding, which is another representation of it (section
 * 8.8.3.3). `coding` is a short word. */
void validators_set_coding(struct validators *validators, const char *coding);

/*
 * Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since of a GET or HEAD in
 * the order of section 13.2.2. A date that cannot be read counts as absent.
 */
enum precondition validators_check(const struct validators *validators,
                                   const struct evkeyvalq *request_headers);

/*
 * Whether a Range header may be obeyed (section 13.1.5): there is no If-Range, or it names exactly
 * this state of the file. A date names it only if the file has been still for a second since.
 */
bool validators_allow_range(const struct validators *validators,
                            const struct evkeyvalq *request_headers);

#ifdef __cplusplus
}
#endif

#endif

#ifndef SAMPLES_HTTPD_RANGE_H_
#define SAMPLES_HTTPD_RANGE_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A run of bytes of a file. */
struct range {
  uint64_t offset;
  uint64_t length;
};

enum range_outcome {
  RANGE_WHOLE,         /* send everything, 200 */
  RANGE_PART,          /* send `out_range`, 206 */
  RANGE_UNSATISFIABLE, /* 416 */
};

/*
 * Reads a Range header's value (RFC 9110 section 14.2) for a file of `size` bytes: "bytes=0-99",
 * "bytes=100-", "bytes=-100". A server may ignore the header (section 14.2), and this one does
 * where it is malformed, in another unit, asks for several ranges at once, or the file is empty:
 * all of these are RANGE_WHOLE, with `out_range` set to the whole file. So is `header` NULL.
 */
enum range_outcome range_parse(const char *header, uint64_t size, struct range *out_range);

#ifdef __cplusplus
}
#endif

#endif

#ifndef SAMPLES_HTTPD_CODING_H_
#define SAMPLES_HTTPD_CODING_H_

#ifdef __cplusplus
extern "C" {
#endif

struct evkeyvalq;

/* How a body may be encoded for its way to the client (RFC 9110 section 8.4). */
enum coding {
  CODING_IDENTITY,
  CODING_GZIP,
};

/*
 * The coding that a request's Accept-Encoding fields like best (section 12.5.3): gzip where it is
 * acceptable and not liked less than identity. Without such a field, identity, and also where none
 * of the two is acceptable. Members that cannot be read count as absent.
 */
enum coding coding_choose(const struct evkeyvalq *request_headers);

#ifdef __cplusplus
}
#endif

#endif

#ifndef SAMPLES_HTTPD_SERVER_H_
#define SAMPLES_HTTPD_SERVER_H_

#include "samples/httpd/options.h"

/*
 * Serves as `options` say until SIGINT or SIGTERM. The address is printed as the first line of
 * standard output: "listening on http://127.0.0.1:8080/". On the signal it stops accepting, lets
 * the replies under way finish for up to five seconds (a second signal cuts that short), and
 * returns. Returns 0, or -1 when it could not start, with the reason on standard error.
 */
int server_run(const struct options *options);

#endif

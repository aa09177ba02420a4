#ifndef SAMPLES_HTTPD_SITE_H_
#define SAMPLES_HTTPD_SITE_H_

#include "samples/httpd/document.h"
#include "samples/httpd/status_page.h"

struct evhttp_request;
struct transfers;

/* What requests are answered from. */
struct site {
  struct document_root root;
  struct transfers *transfers;
  struct status_page status_page;
};

/*
 * Answers a GET or HEAD request with a file, a part of one, a directory's index.html or its
 * listing, compressed where that helps and the client can undo it; or with the status page;
 * anything else with the status that says why not. A callback for evhttp_set_gencb(); `site` is a
 * struct site that outlives the evhttp.
 *
 * Files are handed to the kernel as file segments: nothing of them is read into memory where
 * sendfile() works. Opening files and reading directories does block the loop, as it would in any
 * program that serves from its event loops.
 */
void site_answer(struct evhttp_request *req, void *site);

#endif

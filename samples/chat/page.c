#include "samples/chat/page.h"

#include <string.h>

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>

/* kIndexHtml, made from index.html by the build. */
#include "samples/chat/index_html.inc"

static int is_known(struct evhttp_request *req) {
  const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));
  return path != NULL && (strcmp(path, "/") == 0 || strcmp(path, "/index.html") == 0);
}

void page_on_request(struct evhttp_request *req, void *unused) {
  struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
  (void)unused;
  if (!is_known(req)) {
    evhttp_send_error(req, HTTP_NOTFOUND, NULL);
    return;
  }
  struct evbuffer *body = evbuffer_new();
  if (body == NULL || evbuffer_add_reference(body, kIndexHtml, sizeof(kIndexHtml), NULL, NULL)) {
    evhttp_send_error(req, HTTP_SERVUNAVAIL, NULL);
  } else {
    evhttp_add_header(headers, "Content-Type", "text/html; charset=utf-8");
    evhttp_add_header(headers, "Cache-Control", "no-cache");
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    evhttp_add_header(headers, "Content-Security-Policy",
                      "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; "
                      "style-src 'unsafe-inline'; img-src data:");
    evhttp_send_reply(req, HTTP_OK, "OK", body);
  }
  if (body != NULL) evbuffer_free(body);
}

#ifndef SAMPLES_CHAT_PAGE_H_
#define SAMPLES_CHAT_PAGE_H_

#include <event2/http.h>

/* Answers with the page (index.html). For evhttp_set_gencb(). */
void page_on_request(struct evhttp_request *req, void *unused);

#endif

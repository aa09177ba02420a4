#include "samples/httpd/status_page.h"

#include <inttypes.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "samples/httpd/counters.h"

bool status_page_is_asked_for(const struct status_page *page, struct evhttp_request *req) {
  const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
  const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);
  return page->path != NULL && path != NULL && strcmp(path, page->path) == 0;
}

bool status_page_wants_json(struct evhttp_request *req) {
  const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
  const char *accept = evhttp_find_header(evhttp_request_get_input_headers(req), "Accept");
  if (query != NULL && strcmp(query, "json") == 0) return true;
  return accept != NULL && strstr(accept, "application/json") != NULL &&
         strstr(accept, "text/html") == NULL;
}

static uint64_t num_replies(const struct counts *counts) {
  uint64_t sum = 0;
  for (int i = 0; i < kNumClasses; i++) sum += counts->by_class[i];
  return sum;
}

static uint64_t bucket_limit(int bucket) {
  return UINT64_C(1) << (bucket + kFirstBucketBits);
}

static void write_json(const struct status_page *page, const struct counts *counts,
                       struct evbuffer *output) {
  evbuffer_add_printf(output,
                      "{\"uptime_s\":%lld,\"loops\":%d,"
                      "\"connections\":{\"accepted\":%" PRIu64 ",\"open\":%" PRIu64
                      "},"
                      "\"requests\":{\"total\":%" PRIu64 ",\"cut_short\":%" PRIu64,
                      (long long)(time(NULL) - page->started), page->num_loops, counts->accepted,
                      counts->open, num_replies(counts), counts->cut_short);
  for (int i = 0; i < kNumClasses; i++)
    evbuffer_add_printf(output, ",\"%dxx\":%" PRIu64, i + 1, counts->by_class[i]);
  evbuffer_add_printf(output, "},\"body_bytes\":%" PRIu64 ",\"latency_us\":[", counts->body_len);
  for (int i = 0; i < kNumBuckets - 1; i++)
    evbuffer_add_printf(output, "{\"below\":%" PRIu64 ",\"count\":%" PRIu64 "},", bucket_limit(i),
                        counts->by_latency[i]);
  evbuffer_add_printf(output, "{\"below\":null,\"count\":%" PRIu64 "}]}\n",
                      counts->by_latency[kNumBuckets - 1]);
}

static void write_row(struct evbuffer *output, const char *name, uint64_t value) {
  evbuffer_add_printf(output, "<tr><th>%s</th><td>%" PRIu64 "</td></tr>\n", name, value);
}

static void write_html(const struct status_page *page, const struct counts *counts,
                       struct evbuffer *output) {
  evbuffer_add_printf(output,
                      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                      "<title>Status</title>\n<style>td{text-align:right}th{text-align:left}"
                      "</style></head>\n<body><h1>Status</h1>\n<table>\n");
  write_row(output, "Seconds up", (uint64_t)(time(NULL) - page->started));
  write_row(output, "Loops", (uint64_t)page->num_loops);
  write_row(output, "Connections accepted", counts->accepted);
  write_row(output, "Connections open", counts->open);
  write_row(output, "Requests", num_replies(counts));
  for (int i = 0; i < kNumClasses; i++) {
    char name[] = "Replies 0xx";
    name[sizeof(name) - 4] = (char)('1' + i);
    write_row(output, name, counts->by_class[i]);
  }
  write_row(output, "Replies cut short", counts->cut_short);
  write_row(output, "Bytes of bodies", counts->body_len);
  evbuffer_add_printf(output, "</table>\n<h2>Latency</h2>\n<table>\n");
  for (int i = 0; i < kNumBuckets - 1; i++)
    evbuffer_add_printf(output,
                        "<tr><th>below %" PRIu64 " &micro;s</th><td>%" PRIu64 "</td></tr>\n",
                        bucket_limit(i), counts->by_latency[i]);
  write_row(output, "longer", counts->by_latency[kNumBuckets - 1]);
  evbuffer_add_printf(output, "</table>\n</body></html>\n");
}

int status_page_write(const struct status_page *page, bool json, struct evbuffer *output) {
  struct counts counts;
  counters_sum(page->counters, page->num_loops, &counts);
  if (json) {
    write_json(page, &counts, output);
  } else {
    write_html(page, &counts, output);
  }
  /* Printing fails when memory ran out; the end would be missing. */
  size_t len = evbuffer_get_length(output);
  const unsigned char *bytes = evbuffer_pullup(output, -1);
  return bytes != NULL && bytes[len - 1] == '\n' && bytes[len - 2] == (json ? '}' : '>') ? 0 : -1;
}

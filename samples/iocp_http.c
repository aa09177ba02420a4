/*
 * iocp_http: a program as it was written to try libevent 2.0's IOCP with: evhttp through the
 * headers of libevent 1.4, fields of struct evhttp_request read directly, and threads set up only
 * when the base is there already.
 *
 *   iocp_http [PORT]             8080 by default
 *
 * It listens on 127.0.0.1, answers each request with its URI, and stops on /quit. On Windows all
 * its transfers are overlapped; on Linux, where EVENT_BASE_FLAG_STARTUP_IOCP does nothing, strata's
 * EVENT_BASE_FLAG_COMPLETION has io_uring make them.
 */
#include <event.h>
#include <event2/thread.h>
#include <evhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
static const int kFlags = EVENT_BASE_FLAG_STARTUP_IOCP;
#else
static const int kFlags = EVENT_BASE_FLAG_STARTUP_IOCP | EVENT_BASE_FLAG_COMPLETION;
#endif

enum { kNumCpus = 8 };

static int use_threads(void) {
#ifdef _WIN32
  return evthread_use_windows_threads();
#else
  return evthread_use_pthreads();
#endif
}

static void on_any(struct evhttp_request *request, void *arg) {
  (void)arg;
  struct evbuffer *body = evbuffer_new();
  if (body == NULL || evbuffer_add(body, request->uri, strlen(request->uri)) != 0)
    evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
  else
    evhttp_send_reply(request, HTTP_OK, "OK", body);
  if (body != NULL) evbuffer_free(body);
}

static void on_quit(struct evhttp_request *request, void *base) {
  evhttp_send_reply(request, HTTP_OK, "OK", NULL);
  event_base_loopbreak(base);
}

static struct event_base *new_base(void) {
  struct event_config *config = event_config_new();
  if (config == NULL) return NULL;
  event_config_set_flag(config, kFlags);
  event_config_set_num_cpus_hint(config, kNumCpus);
  struct event_base *base = event_base_new_with_config(config);
  event_config_free(config);
  return base;
}

static int serve(struct event_base *base, struct evhttp *http, int port) {
  evhttp_set_gencb(http, on_any, NULL);
  evhttp_set_cb(http, "/quit", on_quit, base);
  if (evhttp_bind_socket(http, "127.0.0.1", (ev_uint16_t)port) != 0) {
    fprintf(stderr, "iocp_http: cannot listen on port %d\n", port);
    return -1;
  }
  return event_base_dispatch(base) < 0 ? -1 : 0;
}

int main(int argc, char **argv) {
  int port = argc > 1 ? atoi(argv[1]) : 8080;
  struct event_base *base = new_base();
  if (base == NULL || use_threads() != 0) {
    fprintf(stderr, "iocp_http: cannot start\n");
    return 1;
  }
  struct evhttp *http = evhttp_new(base);
  int result = http == NULL ? -1 : serve(base, http, port);
  if (http != NULL) evhttp_free(http);
  event_base_free(base);
  return result == 0 ? 0 : 1;
}

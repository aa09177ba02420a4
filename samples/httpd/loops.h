#ifndef SAMPLES_HTTPD_LOOPS_H_
#define SAMPLES_HTTPD_LOOPS_H_

#include <stdint.h>

#include <event2/event.h>

struct evhttp;
struct sockaddr_storage;

/*
 * The loops that serve: one, which is the main thread's, or several, each with a thread. Functions
 * that return int return 0, or -1 with the socket error set where there is one.
 */
struct loops;

/* Called for each loop's base and server before anything runs; `index` counts from 0. */
typedef int (*loops_configure_cb)(struct event_base *base, struct evhttp *http, int index,
                                  void *arg);

/* Has to be called before the first base is made, if there are to be several loops. -1: this build
 * cannot have several. */
int loops_prepare(int num_loops);

/* Makes the loops; with one, it is `main_base`, which must outlive them. Returns NULL when memory
 * ran out or `configure` failed. */
struct loops *loops_new(struct event_base *main_base, int num_loops, loops_configure_cb configure,
                        void *arg);

/* Listens, and tells where. */
int loops_listen(struct loops *loops, const char *address, uint16_t port,
                 struct sockaddr_storage *out_address, int *out_address_len);

/* Starts the threads; with one loop, that starts with `main_base`. */
int loops_start(struct loops *loops);

/* Closes the listening sockets, soon. */
void loops_stop_accepting(struct loops *loops);

/* Ends the threads and waits for them. */
void loops_stop(struct loops *loops);

/* Closes all connections. NULL is allowed. */
void loops_free(struct loops *loops);

#endif

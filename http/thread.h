#ifndef STRATA_HTTP_THREAD_H_
#define STRATA_HTTP_THREAD_H_

#ifdef __cplusplus
extern "C" {
#endif

/* A thread of the system's. Signals do not go to it. */
struct strata_thread;

/* Runs a function in a new thread. Returns NULL when there is no memory or no thread to be had. */
struct strata_thread *strata_thread_start(void (*run)(void *), void *arg);

/* Waits until the function has returned, and frees the thread. */
void strata_thread_join(struct strata_thread *thread);

#ifdef __cplusplus
}
#endif

#endif

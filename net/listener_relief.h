#ifndef STRATA_NET_LISTENER_RELIEF_H_
#define STRATA_NET_LISTENER_RELIEF_H_

struct evconnlistener;

/* For servers that would rather give up a connection than leave a new one waiting. */

/* Called, in the loop and without the listener's lock, when accepting has failed for want of
 * descriptors or memory, and the listener has paused. Returns whether it makes room: then the error
 * is reported to nobody. When there is room, now or soon, it calls strata_listener_resume(); the
 * listener goes on by itself otherwise, after its pause. When accepting fails again at once, room
 * was not what was missing: it is called after the next pause only. It may free the listener. */
typedef int (*strata_listener_relief)(struct evconnlistener *listener, void *arg);

/* Sets it, with an argument of its own; NULL: none, as at first. It is apart from the user's error
 * callback, which gets what it could not relieve. */
void strata_listener_set_relief(struct evconnlistener *listener, strata_listener_relief relief,
                                void *arg);

/* Ends a pause: what is active in the loop already runs before the next connection is accepted. */
void strata_listener_resume(struct evconnlistener *listener);

#endif

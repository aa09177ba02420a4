#ifndef EVENT2_BUFFEREVENT_COMPAT_H_INCLUDED_
#define EVENT2_BUFFEREVENT_COMPAT_H_INCLUDED_

/** @file event2/bufferevent_compat.h
 *
 * Names from before libevent 2.0, for programs that use them. New code uses event2/bufferevent.h.
 */

#include <event2/bufferevent.h>
#include <event2/util.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @name The callback types
 * @{ */
#define evbuffercb bufferevent_data_cb
#define everrorcb bufferevent_event_cb
/** @} */

/** A bufferevent over the socket `fd` in the base of event_init(), with these callbacks (NULL:
 * none) and without options: freeing it leaves the socket open. In a program with several bases,
 * bufferevent_base_set() must follow before it is enabled. Now bufferevent_socket_new(). */
EVENT2_EXPORT_SYMBOL
struct bufferevent *bufferevent_new(evutil_socket_t fd, evbuffercb readcb, evbuffercb writecb,
                                    everrorcb errorcb, void *arg);

/** Sets the timeouts in whole seconds; 0: none. Now bufferevent_set_timeouts(). */
EVENT2_EXPORT_SYMBOL
void bufferevent_settimeout(struct bufferevent *bev, int timeout_read, int timeout_write);

/** @name What the event callback is told; now BEV_EVENT_...
 * @{ */
#define EVBUFFER_READ BEV_EVENT_READING
#define EVBUFFER_WRITE BEV_EVENT_WRITING
#define EVBUFFER_EOF BEV_EVENT_EOF
#define EVBUFFER_ERROR BEV_EVENT_ERROR
#define EVBUFFER_TIMEOUT BEV_EVENT_TIMEOUT
/** @} */

/** @name The buffers; now bufferevent_get_input() and bufferevent_get_output()
 * @{ */
#define EVBUFFER_INPUT(x) bufferevent_get_input(x)
#define EVBUFFER_OUTPUT(x) bufferevent_get_output(x)
/** @} */

#ifdef __cplusplus
}
#endif

#endif

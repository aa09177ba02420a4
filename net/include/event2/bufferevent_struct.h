#ifndef EVENT2_BUFFEREVENT_STRUCT_H_INCLUDED_
#define EVENT2_BUFFEREVENT_STRUCT_H_INCLUDED_

/** @file event2/bufferevent_struct.h
 *
 * The layout of the public part of struct bufferevent, for old programs that look into it. It is
 * the layout of libevent 2.1 and will stay that. A program must not write to it, must not make a
 * bufferevent of its own (what the library allocates is larger), and finds a function in
 * event2/bufferevent.h for everything that is worth reading.
 */

#include <stddef.h>

#include <event2/bufferevent.h>
#include <event2/event-config.h>
#include <event2/event_struct.h>
#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The watermarks of one direction, in bytes. */
struct event_watermark {
  size_t low;
  /** 0 stands for no limit. */
  size_t high;
};

/** What all kinds of bufferevents have. */
struct bufferevent {
  struct event_base *ev_base;
  /** The operations of this kind of bufferevent. */
  const struct bufferevent_ops *be_ops;
  /** Reading: the socket's event and the read timeout. */
  struct event ev_read;
  /** Writing: the socket's event and the write timeout. */
  struct event ev_write;
  /** Owned by the bufferevent. */
  struct evbuffer *input;
  /** Owned by the bufferevent. */
  struct evbuffer *output;
  struct event_watermark wm_read;
  struct event_watermark wm_write;
  bufferevent_data_cb readcb;
  bufferevent_data_cb writecb;
  /** The event callback. */
  bufferevent_event_cb errorcb;
  /** The argument of the three. */
  void *cbarg;
  /** Zero stands for none. */
  struct timeval timeout_read;
  struct timeval timeout_write;
  /** The enabled directions, EV_READ and EV_WRITE. */
  short enabled;
};

#ifdef __cplusplus
}
#endif

#endif

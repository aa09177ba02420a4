#ifndef EVENT1_EVENT_H_INCLUDED_
#define EVENT1_EVENT_H_INCLUDED_

/** @file event.h
 *
 * Events, buffers and bufferevents in one header, as programs from before libevent 2.0 include
 * them. New code includes the event2/ header of what it uses, and depends on that layer alone.
 */

#include <stdarg.h>
#include <stdint.h>

#include <event2/event-config.h>

#include <evutil.h>

#ifdef _WIN32
#include <windows.h> /* after winsock2.h, which evutil.h includes */
#endif

#include <event2/event.h>
#include <event2/event_compat.h>
#include <event2/event_struct.h>

#include <event2/buffer.h>
#include <event2/buffer_compat.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_compat.h>
#include <event2/bufferevent_struct.h>

#include <event2/tag.h>
#include <event2/tag_compat.h>

#endif

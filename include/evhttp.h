#ifndef EVENT1_EVHTTP_H_INCLUDED_
#define EVENT1_EVHTTP_H_INCLUDED_

/** @file evhttp.h
 *
 * HTTP, and what event.h has, in one header, as programs from before libevent 2.0 include them. New
 * code includes event2/http.h.
 */

#include <event.h>

#include <event2/http.h>
#include <event2/http_compat.h>
#include <event2/http_struct.h>

#endif

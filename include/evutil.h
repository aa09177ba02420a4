#ifndef EVENT1_EVUTIL_H_INCLUDED_
#define EVENT1_EVUTIL_H_INCLUDED_

/** @file evutil.h
 *
 * The name before libevent 2.0 of event2/util.h, which new code includes.
 */

#include <event2/util.h>

#endif

#ifndef EVENT2_VISIBILITY_H_INCLUDED_
#define EVENT2_VISIBILITY_H_INCLUDED_

/** @file event2/visibility.h
 *
 * Marks what a shared library exports. Every public function carries
 * EVENT2_EXPORT_SYMBOL; everything else may be hidden by the person who links a
 * shared object (-fvisibility=hidden). Static links are not affected.
 */

#include <event2/event-config.h>

#if defined(_WIN32) && defined(STRATA_BUILDING_DLL)
#define EVENT2_EXPORT_SYMBOL __declspec(dllexport)
#elif defined(__GNUC__) || defined(__clang__)
#define EVENT2_EXPORT_SYMBOL __attribute__((visibility("default")))
#else
#define EVENT2_EXPORT_SYMBOL
#endif

#endif

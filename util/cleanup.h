#ifndef STRATA_UTIL_CLEANUP_H_
#define STRATA_UTIL_CLEANUP_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What modules want done when libevent_global_shutdown() is called. A module has one static
 * element and registers it when it first makes something global; no memory is needed. */
struct strata_cleanup {
  void (*function)(void);
  struct strata_cleanup *next; /* the registry's */
  int registered;              /* the registry's; read and written atomically */
};

#define STRATA_CLEANUP_INIT(function) \
  { (function), NULL, 0 }

/* Has the function called once by the next strata_cleanup_run_all(). Registering what is
 * registered does nothing. From any thread. The element must stay alive. */
void strata_cleanup_register(struct strata_cleanup *cleanup);

/* Calls what is registered, the last registered first; each has to be registered anew afterwards.
 * Nothing else of the library may be in use. */
void strata_cleanup_run_all(void);

#ifdef __cplusplus
}
#endif

#endif

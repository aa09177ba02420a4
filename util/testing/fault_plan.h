#ifndef STRATA_UTIL_TESTING_FAULT_PLAN_H_
#define STRATA_UTIL_TESTING_FAULT_PLAN_H_

#include "util/testing/faults.h"

/* The groups of calls that a plan names. */
enum strata_faulted_call {
  STRATA_CALL_READ,
  STRATA_CALL_WRITE,
  STRATA_CALL_ACCEPT,
  STRATA_CALL_CONNECT,
  STRATA_CALL_OPEN,
  STRATA_CALL_WAIT,
  STRATA_NUM_CALLS
};

#define STRATA_NO_FAULT STRATA_NUM_FAULTS
#define STRATA_FAULT_BIT(kind) (1u << (kind))

/* The fault of this call, out of those that are legal for it (STRATA_FAULT_BITs), and counts it;
 * STRATA_NO_FAULT most of the time. From any thread, and from signal handlers. */
enum strata_fault strata_fault_draw(enum strata_faulted_call call, unsigned legal);

/* Whether a call of this group may fail at all. */
int strata_fault_is_planned(enum strata_faulted_call call);

#endif

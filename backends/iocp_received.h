#ifndef STRATA_BACKENDS_IOCP_RECEIVED_H_
#define STRATA_BACKENDS_IOCP_RECEIVED_H_

#include "loop/completion.h"

/* Memory to receive into, used again and again. Counted: blocks that are in use outlive the port.
 */
struct iocp_received_pool;

/* NULL when memory is short. */
struct iocp_received_pool *strata_iocp_received_new(void);
/* Blocks that come back later are freed. NULL does nothing. */
void strata_iocp_received_close(struct iocp_received_pool *pool);
/* A block of STRATA_IOCP_RECEIVED_LEN bytes, or NULL when memory is short. */
struct event_received *strata_iocp_received_take(struct iocp_received_pool *pool);

#define STRATA_IOCP_RECEIVED_LEN 16384

#endif

#ifndef STRATA_BUFFER_REFERENCE_H_
#define STRATA_BUFFER_REFERENCE_H_

struct evbuffer_chain;
struct evbuffer_chain_pool;

/* Called when such a chain is freed: the clean-up function runs; the shared chain loses a
 * reference. */
void strata_reference_release(struct evbuffer_chain *chain);
void strata_multicast_release(struct evbuffer_chain *chain, struct evbuffer_chain_pool *pool);

#endif

#include "net/bufferevent_internal.h"
#include "util/memory.h"

void bufferevent_drop_lock(struct bufferevent_private *bev) {
  if (bev->shared_lock) {
    strata_lock_acquire(bev->lock);
    bool is_last = --bev->shared_lock->num_refs == 0;
    strata_lock_release(bev->lock);
    if (!is_last) return;
    strata_free(bev->shared_lock);
  }
  strata_lock_destroy(&bev->lock, EVTHREAD_LOCKTYPE_RECURSIVE);
}

static void lock_buffers(struct bufferevent_private *bev) {
  evbuffer_set_lock_(&bev->input, bev->lock);
  evbuffer_set_lock_(&bev->output, bev->lock);
}

int bufferevent_share_lock(struct bufferevent_private *bev, struct bufferevent_private *peer) {
  if (!peer->lock) return 0;
  if (!peer->shared_lock) {
    peer->shared_lock = strata_calloc(1, sizeof(*peer->shared_lock));
    if (!peer->shared_lock) return -1;
    peer->shared_lock->num_refs = 1;
  }
  peer->shared_lock->num_refs++;
  bev->shared_lock = peer->shared_lock;
  bev->lock = peer->lock;
  if (bev->num_refs) lock_buffers(bev);
  return 0;
}

struct bufferevent_private *bufferevent_peer(struct bufferevent_private *bev) {
  return bev->bev.be_ops->peer ? bev->bev.be_ops->peer(bev) : NULL;
}

static int enable(struct bufferevent_private *bev, int num_owners) {
  if (bev->lock) return 0;
  /* A call that is under way has taken no lock, and would release this one. */
  if (bev->num_refs > num_owners) return -1;
  struct bufferevent_private *peer = bufferevent_peer(bev);
  if (bev->bev.be_ops->wraps_peer)
    return enable(peer, 2) < 0 ? -1 : bufferevent_share_lock(bev, peer);
  if (peer && peer->num_refs > 1) return -1;
  if (strata_lock_init(&bev->lock, EVTHREAD_LOCKTYPE_RECURSIVE) < 0) return -1;
  lock_buffers(bev);
  if (!peer || bufferevent_share_lock(peer, bev) == 0) return 0;
  strata_lock_destroy(&bev->lock, EVTHREAD_LOCKTYPE_RECURSIVE);
  lock_buffers(bev);
  return -1;
}

int bufferevent_enable_locking(struct bufferevent_private *bev) {
  return strata_threading_enabled() ? enable(bev, 1) : 0;
}

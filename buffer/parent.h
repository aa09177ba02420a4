#ifndef STRATA_BUFFER_PARENT_H_
#define STRATA_BUFFER_PARENT_H_

/* What a buffer knows of the object that it is embedded in (a bufferevent): how to keep it alive,
 * and that it may want to hear of new bytes. Any thread that uses the buffer calls them. */

struct evbuffer;
struct evbuffer_parent;

struct evbuffer_parent_ops {
  /* Takes a reference. Called with the buffer's lock held, while the parent is alive. */
  void (*hold)(struct evbuffer_parent *parent);
  /* Gives one back, and frees the parent if it was the last. Called after the buffer has given
   * up its own hold on the lock; an outer caller in the same thread may still have one, and must
   * then hold a reference too. The buffer is not touched afterwards. */
  void (*release)(struct evbuffer_parent *parent);
  /* Bytes were added to a buffer that tells its parent (evbuffer_tell_parent()), and its callbacks
   * have been called or queued. The lock is held. May not free the buffer or its parent. */
  void (*added)(struct evbuffer_parent *parent, struct evbuffer *buf);
};

struct evbuffer_parent {
  const struct evbuffer_parent_ops *ops;
};

#endif

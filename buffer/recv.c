#include <errno.h>

#include "buffer/evbuffer_internal.h"
#include "buffer/fd_io.h"
#include "util/socket.h"

#define MAX_VECS 12
/* More than this a call is not read: what the vectors below can hold. */
#define MAX_RECV_LEN ((size_t)128 * 1024)
/* Most reads are small: the first new block is a page, so that what they leave behind is not a
 * large block with little in it; those after it are of the largest class. */
#define FIRST_ROOM (4096 - sizeof(struct evbuffer_chain))
#define NEXT_ROOM (16384 - sizeof(struct evbuffer_chain))

/* Where one read puts its bytes: room that the buffer has, then new chains, not linked yet. */
struct landing {
  struct evbuffer_iovec vecs[MAX_VECS];
  struct evbuffer_chain *chains[MAX_VECS];
  int num;
  int num_old; /* of them in the buffer */
  size_t len;
};

static void landing_add(struct landing *landing, struct evbuffer_chain *chain, size_t max_len) {
  size_t room = strata_chain_room(chain);
  if (room > max_len - landing->len) room = max_len - landing->len;
  landing->chains[landing->num] = chain;
  landing->vecs[landing->num].iov_base = strata_chain_end(chain);
  landing->vecs[landing->num].iov_len = room;
  landing->num++;
  landing->len += room;
}

static void add_old_room(struct evbuffer *buf, size_t max_len, struct landing *landing) {
  struct evbuffer_chain *chain = buf->last_data ? buf->last_data : buf->first;
  /* The last block's bytes are moved to its start if that is cheap. */
  if (buf->last_data && strata_chain_room(chain) < max_len &&
      strata_chain_can_realign(chain, FIRST_ROOM / 2)) {
    strata_chain_realign(chain);
  }
  for (; chain && landing->len < max_len && landing->num < MAX_VECS / 2; chain = chain->next) {
    if (strata_chain_room(chain) > 0) landing_add(landing, chain, max_len);
  }
  landing->num_old = landing->num;
}

static void add_new_room(struct evbuffer *buf, size_t max_len, struct landing *landing) {
  while (landing->len < max_len && landing->num < MAX_VECS) {
    size_t rest = max_len - landing->len;
    int is_small = landing->num == 0 || rest <= FIRST_ROOM;
    struct evbuffer_chain *chain = strata_chain_new(buf->pool, is_small ? FIRST_ROOM : NEXT_ROOM);
    if (!chain) return;
    landing_add(landing, chain, max_len);
  }
}

/* Makes the first len bytes of the landing part of the buffer and frees the new chains that got
 * none. */
static void land(struct evbuffer *buf, struct landing *landing, size_t len) {
  int i;
  for (i = 0; i < landing->num; i++) {
    struct evbuffer_chain *chain = landing->chains[i];
    size_t part_len = landing->vecs[i].iov_len < len ? landing->vecs[i].iov_len : len;
    len -= part_len;
    if (i < landing->num_old) {
      strata_buffer_extend(buf, chain, part_len);
    } else if (part_len > 0) {
      chain->len = part_len;
      strata_buffer_link_back(buf, chain, chain, part_len);
    } else {
      strata_chain_free(chain, buf->pool);
    }
  }
}

ev_ssize_t evbuffer_recv(struct evbuffer *buf, evutil_socket_t fd, size_t max_len,
                         int *out_filled) {
  struct landing landing;
  ev_ssize_t len;
  int error;
  if (out_filled) *out_filled = 0;
  if (max_len == 0) return 0;
  strata_buffer_lock(buf);
  if (max_len > MAX_RECV_LEN) max_len = MAX_RECV_LEN;
  if (strata_buffer_would_overflow(buf, max_len)) max_len = EV_SSIZE_MAX - buf->total_len;
  landing.num = 0;
  landing.len = 0;
  add_old_room(buf, max_len, &landing);
  add_new_room(buf, max_len, &landing);
  if (landing.num == 0) {
    strata_buffer_unlock(buf);
    EVUTIL_SET_SOCKET_ERROR(strata_error_from_errno(ENOMEM));
    return -1;
  }
  len = strata_fd_readv(fd, landing.vecs, landing.num);
  error = EVUTIL_SOCKET_ERROR();
  land(buf, &landing, len > 0 ? (size_t)len : 0);
  if (out_filled) *out_filled = len > 0 && (size_t)len == landing.len;
  strata_buffer_finish(buf, len > 0 ? (size_t)len : 0, 0);
  EVUTIL_SET_SOCKET_ERROR(error);
  return len;
}

int evbuffer_read(struct evbuffer *buffer, evutil_socket_t fd, int howmuch) {
  size_t max_len;
  int is_frozen;
  strata_buffer_lock(buffer);
  is_frozen = buffer->back_frozen;
  max_len = buffer->max_read_len;
  strata_buffer_unlock(buffer);
  if (is_frozen) return -1;
  if (howmuch >= 0 && (size_t)howmuch < max_len) max_len = (size_t)howmuch;
  return max_len == 0 ? 0 : (int)evbuffer_recv(buffer, fd, max_len, NULL);
}

#include "net/socket_kinds.h"

#include <errno.h>

#include <event2/bufferevent.h>
#include <event2/event.h>

#include "loop/completion.h"
#include "loop/current_base.h"
#include "loop/readiness.h"
#include "util/socket.h"

evutil_socket_t bufferevent_get_socket(struct bufferevent_private *bev) {
  return bufferevent_fd(bev);
}

void bufferevent_close_socket(struct bufferevent_private *bev) {
  evutil_socket_t fd = bufferevent_fd(bev);
  if (bev->options & BEV_OPT_CLOSE_ON_FREE && fd >= 0) evutil_closesocket(fd);
}

/* Programs that produce output on demand start themselves by enabling writing. */
bool bufferevent_must_report_writable(const struct bufferevent_private *bev) {
  return bev->wants_write_report && !bev->is_unconnected && bufferevent_is_active(bev, EV_WRITE);
}

short bufferevent_socket_wanted(const struct bufferevent_private *bev, short waiting) {
  if (bev->is_freed) return 0;
  if (bev->is_connecting || bufferevent_must_report_writable(bev)) return waiting | EV_WRITE;
  return waiting;
}

void bufferevent_report_end_of_reading(struct bufferevent_private *bev, short what) {
  int error = EVUTIL_SOCKET_ERROR();
  bev->bev.enabled &= ~EV_READ;
  EVUTIL_SET_SOCKET_ERROR(error);
  bufferevent_run_eventcb(bev, BEV_EVENT_READING | what, 0);
}

void bufferevent_report_write_error(struct bufferevent_private *bev, int trigger_options) {
  bev->bev.enabled &= ~EV_WRITE;
  bufferevent_run_eventcb(bev, BEV_EVENT_WRITING | BEV_EVENT_ERROR, trigger_options);
}

void bufferevent_report_connect_result(struct bufferevent_private *bev, bool is_connected) {
  bev->is_connecting = false;
  bev->connect_error = 0;
  if (is_connected) {
    bufferevent_run_eventcb(bev, BEV_EVENT_CONNECTED, 0);
    bev->wants_write_report = false; /* it was told */
  } else {
    int error = EVUTIL_SOCKET_ERROR();
    bev->is_unconnected = true;
    event_io_source_detach(&bev->source);
    EVUTIL_SET_SOCKET_ERROR(error);
    bufferevent_run_eventcb(bev, BEV_EVENT_ERROR, 0);
  }
}

void bufferevent_finish_connecting(struct bufferevent_private *bev) {
  enum strata_connect_state state = STRATA_CONNECT_FAILED;
  if (bev->connect_error)
    EVUTIL_SET_SOCKET_ERROR(bev->connect_error);
  else
    state = strata_socket_connect_result(bufferevent_fd(bev));
  if (state == STRATA_CONNECT_PENDING) {
    event_io_source_clear_ready(&bev->source, EV_WRITE | STRATA_EV_HANGUP);
    return;
  }
  bufferevent_report_connect_result(bev, state == STRATA_CONNECT_DONE);
}

/* --- Making and connecting --- */

/* A port moves bytes of sockets, not of pipes. */
static bool is_other_than_socket(evutil_socket_t fd) {
  int type;
  ev_socklen_t type_len = sizeof(type);
  return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, (void *)&type, &type_len) < 0;
}

static bool has_port(const struct event_base *base) {
  return base && event_base_port_features(base) & STRATA_PORT_PROVIDES_MEMORY;
}

struct bufferevent *bufferevent_socket_new(struct event_base *base, evutil_socket_t fd,
                                           int options) {
  bool is_async = has_port(base ? base : event_current_base) && !is_other_than_socket(fd);
  struct bufferevent_private *bev =
      is_async ? bufferevent_async_new(base, options) : bufferevent_readiness_new(base, options);
  if (!bev) return NULL;
  bufferevent_store_fd(bev, fd);
  return &bev->bev;
}

/* What is known of the socket belongs to another, or to one that was not connecting. */
static void forget(struct bufferevent_private *bev) {
  event_io_source_detach(&bev->source);
  bev->is_connecting = bev->is_unconnected = bev->connect_timer_has_ended = false;
  bev->connect_error = 0;
  bev->waiting = 0; /* its timeouts begin anew */
  bev->bev.be_ops->forget_socket(bev);
}

int bufferevent_set_socket(struct bufferevent_private *bev, evutil_socket_t fd) {
  evutil_socket_t old_fd = bufferevent_fd(bev);
  bufferevent_cancel_lookup(bev);
  forget(bev);
  bufferevent_store_fd(bev, fd);
  bev->wants_write_report = fd >= 0;
  if (bev->bev.be_ops->update(bev) == 0) return 0;
  if (bev->bev.be_ops->receives_ahead) {
    bufferevent_update(bev); /* tells what can't be served */
    return 0;
  }
  int error = strata_error_from_errno(errno);
  forget(bev);
  bufferevent_store_fd(bev, old_fd);
  bufferevent_update(bev);
  EVUTIL_SET_SOCKET_ERROR(error);
  return -1;
}

static int wait_for_connect(struct bufferevent_private *bev, enum strata_connect_state state,
                            int connect_error) {
  forget(bev);
  bev->is_connecting = true;
  bev->connect_error = connect_error;
  if (bev->bev.be_ops->update(bev) != 0) {
    int error = strata_error_from_errno(errno);
    forget(bev);
    EVUTIL_SET_SOCKET_ERROR(error);
    return -1;
  }
  /* However it went, the callback comes from the loop. */
  if (state != STRATA_CONNECT_PENDING) event_io_source_set_ready(&bev->source, EV_WRITE);
  return 0;
}

static int start_connect(struct bufferevent_private *bev, const struct sockaddr *address,
                         int address_len) {
  if (!address) return wait_for_connect(bev, STRATA_CONNECT_PENDING, 0);
  enum strata_connect_state state =
      strata_socket_connect(bufferevent_fd(bev), address, (ev_socklen_t)address_len);
  int error = state == STRATA_CONNECT_FAILED ? EVUTIL_SOCKET_ERROR() : 0;
  if (error && !strata_error_connect_refused(error)) return -1;
  return wait_for_connect(bev, state, error);
}

static int connect_locked(struct bufferevent_private *bev, const struct sockaddr *address,
                          int address_len) {
  bool is_new = bufferevent_fd(bev) < 0;
  bufferevent_cancel_lookup(bev);
  if (is_new) {
    if (!address) return -1;
    evutil_socket_t fd = strata_socket_new(address->sa_family, SOCK_STREAM, 0, STRATA_SOCK_DEFAULT);
    if (fd < 0) return -1;
    bufferevent_store_fd(bev, fd);
  }
  if (start_connect(bev, address, address_len) == 0) return 0;
  if (is_new) {
    int error = EVUTIL_SOCKET_ERROR();
    event_io_source_detach(&bev->source);
    evutil_closesocket(bufferevent_fd(bev));
    bufferevent_store_fd(bev, -1);
    EVUTIL_SET_SOCKET_ERROR(error);
  }
  return -1;
}

int bufferevent_socket_connect(struct bufferevent *bufev, const struct sockaddr *address,
                               int address_len) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  if (!bev->bev.be_ops->is_socket || !bufferevent_hold(bev)) return -1;
  int result = connect_locked(bev, address, address_len);
  bufferevent_release(bev);
  return result;
}

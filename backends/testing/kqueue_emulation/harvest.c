#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "backends/testing/kqueue_emulation/queue.h"

#define MAX_LOOK 256

static void fill_in(const struct knote *knote, struct kevent *out_event) {
  out_event->ident = knote->ident;
  out_event->filter = knote->filter;
  out_event->flags = (unsigned short)(knote->flags | EV_ADD);
  out_event->fflags = 0;
  out_event->data = 0;
  out_event->udata = knote->udata;
}

/* --- Descriptors that epoll watches --- */

/* Whether a descriptor is what its knote was made for. A registration that exists is refused. */
static bool is_registered(int epoll, int fd) {
  struct epoll_event event = {EPOLLET, {0}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) return errno == EEXIST;
  epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event);
  return false;
}

static void drop_dead(struct queue *queue, short filter) {
  int epoll = queue->polled[strata_emulated_polled_index(filter)];
  for (int i = 0; i < NUM_BUCKETS; i++) {
    for (struct knote *knote = queue->buckets[i], *next; knote; knote = next) {
      next = knote->next;
      if (knote->filter == filter && knote->kind == KNOTE_POLLED &&
          !is_registered(epoll, (int)knote->ident))
        strata_emulated_queue_drop(queue, knote);
    }
  }
}

static void register_all(struct queue *queue, short filter, int epoll) {
  for (int i = 0; i < NUM_BUCKETS; i++) {
    for (struct knote *knote = queue->buckets[i]; knote; knote = knote->next) {
      if (knote->filter != filter || knote->kind != KNOTE_POLLED) continue;
      struct epoll_event event;
      event.events = strata_emulated_polled_events(knote);
      event.data.u64 = strata_emulated_polled_tag(knote);
      epoll_ctl(epoll, EPOLL_CTL_ADD, (int)knote->ident, &event);
    }
  }
}

/* The descriptor was closed, and its file lives on under another: epoll goes on reporting it and
 * offers no way to take it out, but to begin anew. */
static void renew_epoll(struct queue *queue, short filter) {
  int index = strata_emulated_polled_index(filter);
  drop_dead(queue, filter);
  int epoll = strata_emulated_epoll_open();
  if (epoll < 0) return;
  register_all(queue, filter, epoll);
  struct epoll_event event = {EPOLLIN, {0}};
  epoll_ctl(queue->fd, EPOLL_CTL_ADD, epoll, &event);
  close(queue->polled[index]);
  queue->polled[index] = epoll;
}

static int64_t unread_bytes(int fd) {
  int num = 0;
  return ioctl(fd, FIONREAD, &num) < 0 ? 1 : num;
}

static int64_t room_in_socket(int fd) {
  int size = 0, used = 0;
  socklen_t size_len = sizeof(size);
  if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &size_len) < 0) return 1;
  if (ioctl(fd, SIOCOUTQ, &used) < 0) return 1;
  return size > used ? size - used : 1;
}

static bool is_at_end(const struct knote *knote, uint32_t events) {
  uint32_t end = EPOLLHUP;
  if (knote->filter == EVFILT_READ) end |= EPOLLRDHUP;
  if (knote->is_fifo) end |= EPOLLERR;
  return events & end;
}

static void report_polled(const struct knote *knote, uint32_t events, struct kevent *out_event) {
  int fd = (int)knote->ident;
  fill_in(knote, out_event);
  out_event->data = knote->filter == EVFILT_READ ? unread_bytes(fd) : room_in_socket(fd);
  if (is_at_end(knote, events)) out_event->flags |= EV_EOF;
}

static bool is_ready(const struct knote *knote, uint32_t events) {
  uint32_t wanted = knote->filter == EVFILT_READ ? EPOLLIN | EPOLLRDHUP : EPOLLOUT;
  return !knote->is_disabled && events & (wanted | EPOLLHUP | EPOLLERR);
}

static void end_if_once(struct queue *queue, struct knote *knote) {
  if (!(knote->flags & EV_ONESHOT)) return;
  struct kevent change;
  EV_SET(&change, knote->ident, knote->filter, EV_DELETE, 0, 0, NULL);
  (void)strata_emulated_queue_change(queue, &change);
}

static int harvest_polled(struct queue *queue, short filter, struct kevent *out_events,
                          int num_events) {
  struct epoll_event found[MAX_LOOK];
  int epoll = queue->polled[strata_emulated_polled_index(filter)];
  int num_found = epoll_wait(epoll, found, num_events < MAX_LOOK ? num_events : MAX_LOOK, 0);
  int num = 0;
  bool has_stale = false;
  for (int i = 0; i < num_found; i++) {
    int fd = (int)(uint32_t)found[i].data.u64;
    struct knote *knote = strata_emulated_queue_find(queue, (uintptr_t)fd, filter);
    if (!knote || strata_emulated_polled_tag(knote) != found[i].data.u64 ||
        !is_registered(epoll, fd)) {
      has_stale = true;
    } else if (is_ready(knote, found[i].events)) {
      report_polled(knote, found[i].events, &out_events[num++]);
      end_if_once(queue, knote);
    }
  }
  if (has_stale) renew_epoll(queue, filter);
  return num;
}

/* --- Other knotes --- */

static bool harvest_file(struct knote *knote, struct kevent *out_event) {
  struct stat status;
  if (fstat((int)knote->ident, &status) < 0 || status.st_dev != knote->device ||
      status.st_ino != knote->inode)
    return false;
  int64_t left = status.st_size - lseek((int)knote->ident, 0, SEEK_CUR);
  if (knote->flags & EV_CLEAR && !knote->is_triggered) return false;
  if (knote->filter == EVFILT_READ && left == 0 && !(knote->notes & NOTE_FILE_POLL)) return false;
  knote->is_triggered = false;
  fill_in(knote, out_event);
  out_event->data = knote->filter == EVFILT_READ ? left : 0;
  return true;
}

static bool harvest_user(struct knote *knote, struct kevent *out_event) {
  if (!knote->is_triggered) return false;
  fill_in(knote, out_event);
  out_event->fflags = knote->notes;
  if (!(knote->flags & EV_CLEAR)) return true;
  knote->is_triggered = false;
  knote->notes = 0;
  uint64_t count;
  ssize_t ignored = read(knote->source, &count, sizeof(count));
  (void)ignored;
  return true;
}

/* A timer's expirations, a signal's arrivals. */
static bool harvest_count(const struct knote *knote, struct kevent *out_event) {
  uint64_t count = 0;
  if (read(knote->source, &count, sizeof(count)) != (ssize_t)sizeof(count)) return false;
  fill_in(knote, out_event);
  out_event->data = (int64_t)count;
  return true;
}

static bool harvest_one(struct knote *knote, struct kevent *out_event) {
  if (knote->is_disabled) return false;
  switch (knote->kind) {
    case KNOTE_FILE:
      return harvest_file(knote, out_event);
    case KNOTE_USER:
      return harvest_user(knote, out_event);
    case KNOTE_TIMER:
    case KNOTE_SIGNAL:
      return harvest_count(knote, out_event);
    default:
      return false;
  }
}

static int harvest_special(struct queue *queue, struct kevent *out_events, int num_events) {
  int num = 0;
  for (int i = 0; queue->num_special && i < NUM_BUCKETS; i++) {
    for (struct knote *knote = queue->buckets[i], *next; knote && num < num_events; knote = next) {
      next = knote->next;
      if (!harvest_one(knote, &out_events[num])) continue;
      num++;
      end_if_once(queue, knote);
    }
  }
  return num;
}

int strata_emulated_queue_harvest(struct queue *queue, struct kevent *out_events, int num_events) {
  int num = harvest_special(queue, out_events, num_events);
  const short filters[] = {EVFILT_READ, EVFILT_WRITE};
  unsigned first = queue->turn++ % 2;
  for (unsigned i = 0; i < 2 && num < num_events; i++)
    num += harvest_polled(queue, filters[(first + i) % 2], out_events + num, num_events - num);
  return num;
}

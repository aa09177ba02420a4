// The layout of net's public structs and the values of its flags are libevent 2.1.12's, so that a
// program compiled against either runs on the other.

#include <stddef.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_compat.h>
#include <event2/bufferevent_struct.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <gtest/gtest.h>

namespace {

// The table is of Linux on 64 bits; the values below it hold everywhere.
#if defined(__linux__) && defined(__LP64__)
static_assert(sizeof(struct event_watermark) == 16, "struct event_watermark");
static_assert(offsetof(struct event_watermark, low) == 0, "low");
static_assert(offsetof(struct event_watermark, high) == 8, "high");

static_assert(sizeof(struct bufferevent) == 392, "struct bufferevent");
static_assert(offsetof(struct bufferevent, ev_base) == 0, "ev_base");
static_assert(offsetof(struct bufferevent, be_ops) == 8, "be_ops");
static_assert(offsetof(struct bufferevent, ev_read) == 16, "ev_read");
static_assert(offsetof(struct bufferevent, ev_write) == 144, "ev_write");
static_assert(offsetof(struct bufferevent, input) == 272, "input");
static_assert(offsetof(struct bufferevent, output) == 280, "output");
static_assert(offsetof(struct bufferevent, wm_read) == 288, "wm_read");
static_assert(offsetof(struct bufferevent, wm_write) == 304, "wm_write");
static_assert(offsetof(struct bufferevent, readcb) == 320, "readcb");
static_assert(offsetof(struct bufferevent, writecb) == 328, "writecb");
static_assert(offsetof(struct bufferevent, errorcb) == 336, "errorcb");
static_assert(offsetof(struct bufferevent, cbarg) == 344, "cbarg");
static_assert(offsetof(struct bufferevent, timeout_read) == 352, "timeout_read");
static_assert(offsetof(struct bufferevent, timeout_write) == 368, "timeout_write");
static_assert(offsetof(struct bufferevent, enabled) == 384, "enabled");
#endif

static_assert(BEV_EVENT_READING == 0x01 && EVBUFFER_READ == 0x01, "READING");
static_assert(BEV_EVENT_WRITING == 0x02 && EVBUFFER_WRITE == 0x02, "WRITING");
static_assert(BEV_EVENT_EOF == 0x10 && EVBUFFER_EOF == 0x10, "EOF");
static_assert(BEV_EVENT_ERROR == 0x20 && EVBUFFER_ERROR == 0x20, "ERROR");
static_assert(BEV_EVENT_TIMEOUT == 0x40 && EVBUFFER_TIMEOUT == 0x40, "TIMEOUT");
static_assert(BEV_EVENT_CONNECTED == 0x80, "CONNECTED");

static_assert(BEV_OPT_CLOSE_ON_FREE == 1, "CLOSE_ON_FREE");
static_assert(BEV_OPT_THREADSAFE == 2, "THREADSAFE");
static_assert(BEV_OPT_DEFER_CALLBACKS == 4, "DEFER_CALLBACKS");
static_assert(BEV_OPT_UNLOCK_CALLBACKS == 8, "UNLOCK_CALLBACKS");

static_assert(BEV_NORMAL == 0, "BEV_NORMAL");
static_assert(BEV_FLUSH == 1, "BEV_FLUSH");
static_assert(BEV_FINISHED == 2, "BEV_FINISHED");
static_assert(sizeof(enum bufferevent_flush_mode) == sizeof(int), "enum bufferevent_flush_mode");

static_assert(BEV_TRIG_IGNORE_WATERMARKS == 0x10000, "IGNORE_WATERMARKS");
// libevent gives this enumerator the value of one of another enum: compare plain numbers.
static_assert(static_cast<int>(BEV_TRIG_DEFER_CALLBACKS) == 4, "BEV_TRIG_DEFER_CALLBACKS");

static_assert(LEV_OPT_LEAVE_SOCKETS_BLOCKING == 0x001u, "LEAVE_SOCKETS_BLOCKING");
static_assert(LEV_OPT_CLOSE_ON_FREE == 0x002u, "CLOSE_ON_FREE");
static_assert(LEV_OPT_CLOSE_ON_EXEC == 0x004u, "CLOSE_ON_EXEC");
static_assert(LEV_OPT_REUSEABLE == 0x008u, "REUSEABLE");
static_assert(LEV_OPT_THREADSAFE == 0x010u, "THREADSAFE");
static_assert(LEV_OPT_DISABLED == 0x020u, "DISABLED");
static_assert(LEV_OPT_DEFERRED_ACCEPT == 0x040u, "DEFERRED_ACCEPT");
static_assert(LEV_OPT_REUSEABLE_PORT == 0x080u, "REUSEABLE_PORT");
static_assert(LEV_OPT_BIND_IPV6ONLY == 0x100u, "BIND_IPV6ONLY");

void OnData(struct bufferevent *, void *) {}
void OnWritten(struct bufferevent *, void *) {}
void OnEvent(struct bufferevent *, short, void *) {}

// What a program compiled against libevent's layout finds in the fields.
TEST(NetLayout, BuffereventKeepsTheFieldsThatProgramsRead) {
  struct event_base *base = event_base_new();
  ASSERT_NE(base, nullptr);
  struct bufferevent *bev = bufferevent_socket_new(base, -1, 0);
  ASSERT_NE(bev, nullptr);
  int arg = 0;
  bufferevent_setcb(bev, OnData, OnWritten, OnEvent, &arg);
  bufferevent_setwatermark(bev, EV_READ, 1, 2);
  bufferevent_setwatermark(bev, EV_WRITE, 3, 4);
  const struct timeval read_timeout = {5, 6};
  const struct timeval write_timeout = {7, 8};
  ASSERT_EQ(bufferevent_set_timeouts(bev, &read_timeout, &write_timeout), 0);

  EXPECT_EQ(bev->ev_base, base);
  EXPECT_NE(bev->be_ops, nullptr);
  EXPECT_EQ(bev->input, bufferevent_get_input(bev));
  EXPECT_EQ(bev->output, EVBUFFER_OUTPUT(bev));
  EXPECT_EQ(bev->wm_read.low, 1u);
  EXPECT_EQ(bev->wm_read.high, 2u);
  EXPECT_EQ(bev->wm_write.low, 3u);
  EXPECT_EQ(bev->wm_write.high, 4u);
  EXPECT_EQ(bev->readcb, OnData);
  EXPECT_EQ(bev->writecb, OnWritten);
  EXPECT_EQ(bev->errorcb, OnEvent);
  EXPECT_EQ(bev->cbarg, &arg);
  EXPECT_EQ(bev->timeout_read.tv_sec, 5);
  EXPECT_EQ(bev->timeout_read.tv_usec, 6);
  EXPECT_EQ(bev->timeout_write.tv_sec, 7);
  EXPECT_EQ(bev->timeout_write.tv_usec, 8);
  EXPECT_EQ(bev->enabled, EV_WRITE);
  bufferevent_free(bev);
  event_base_free(base);
}

}  // namespace

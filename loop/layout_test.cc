// The layout of the loop's public structs and the values of its flags are libevent 2.1.12's, so
// that a program compiled against either runs on the other.

#include <stddef.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_compat.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>

namespace {

// The table is of Linux on 64 bits; the values below it hold everywhere.
#if defined(__linux__) && defined(__LP64__)
static_assert(sizeof(struct event_callback) == 40, "struct event_callback");
static_assert(offsetof(struct event_callback, evcb_active_next) == 0, "evcb_active_next");
static_assert(offsetof(struct event_callback, evcb_flags) == 16, "evcb_flags");
static_assert(offsetof(struct event_callback, evcb_pri) == 18, "evcb_pri");
static_assert(offsetof(struct event_callback, evcb_closure) == 19, "evcb_closure");
static_assert(offsetof(struct event_callback, evcb_cb_union) == 24, "evcb_cb_union");
static_assert(offsetof(struct event_callback, evcb_arg) == 32, "evcb_arg");

static_assert(sizeof(struct event) == 128, "struct event");
static_assert(offsetof(struct event, ev_evcallback) == 0, "ev_evcallback");
static_assert(offsetof(struct event, ev_timeout_pos) == 40, "ev_timeout_pos");
static_assert(offsetof(struct event, ev_fd) == 56, "ev_fd");
static_assert(offsetof(struct event, ev_base) == 64, "ev_base");
static_assert(offsetof(struct event, ev_.ev_io.ev_io_next) == 72, "ev_io_next");
static_assert(offsetof(struct event, ev_.ev_io.ev_timeout) == 88, "ev_io.ev_timeout");
static_assert(offsetof(struct event, ev_.ev_signal.ev_signal_next) == 72, "ev_signal_next");
static_assert(offsetof(struct event, ev_.ev_signal.ev_ncalls) == 88, "ev_ncalls");
static_assert(offsetof(struct event, ev_.ev_signal.ev_pncalls) == 96, "ev_pncalls");
static_assert(offsetof(struct event, ev_events) == 104, "ev_events");
static_assert(offsetof(struct event, ev_res) == 106, "ev_res");
static_assert(offsetof(struct event, ev_timeout) == 112, "ev_timeout");
static_assert(sizeof(struct event_list) == 16, "struct event_list");
static_assert(sizeof(struct event_dlist) == 8, "struct event_dlist");

// Two queues of pairs of pointers, whose members programs reach by name.
static_assert(offsetof(struct event, ev_timeout_pos.ev_next_with_common_timeout.tqe_next) == 40,
              "tqe_next");
static_assert(offsetof(struct event, ev_timeout_pos.ev_next_with_common_timeout.tqe_prev) == 48,
              "tqe_prev");
static_assert(offsetof(struct event, ev_timeout_pos.min_heap_idx) == 40, "min_heap_idx");
static_assert(offsetof(struct event_list, tqh_first) == 0, "tqh_first");
static_assert(offsetof(struct event_list, tqh_last) == 8, "tqh_last");
static_assert(offsetof(struct event_dlist, lh_first) == 0, "lh_first");
#endif

static_assert(EV_TIMEOUT == 0x01, "EV_TIMEOUT");
static_assert(EV_READ == 0x02, "EV_READ");
static_assert(EV_WRITE == 0x04, "EV_WRITE");
static_assert(EV_SIGNAL == 0x08, "EV_SIGNAL");
static_assert(EV_PERSIST == 0x10, "EV_PERSIST");
static_assert(EV_ET == 0x20, "EV_ET");
static_assert(EV_FINALIZE == 0x40, "EV_FINALIZE");
static_assert(EV_CLOSED == 0x80, "EV_CLOSED");

static_assert(EVLOOP_ONCE == 0x01, "EVLOOP_ONCE");
static_assert(EVLOOP_NONBLOCK == 0x02, "EVLOOP_NONBLOCK");
static_assert(EVLOOP_NO_EXIT_ON_EMPTY == 0x04, "EVLOOP_NO_EXIT_ON_EMPTY");

static_assert(EVENT_BASE_COUNT_ACTIVE == 1U, "EVENT_BASE_COUNT_ACTIVE");
static_assert(EVENT_BASE_COUNT_VIRTUAL == 2U, "EVENT_BASE_COUNT_VIRTUAL");
static_assert(EVENT_BASE_COUNT_ADDED == 4U, "EVENT_BASE_COUNT_ADDED");

static_assert(EV_FEATURE_ET == 0x01, "EV_FEATURE_ET");
static_assert(EV_FEATURE_O1 == 0x02, "EV_FEATURE_O1");
static_assert(EV_FEATURE_FDS == 0x04, "EV_FEATURE_FDS");
static_assert(EV_FEATURE_EARLY_CLOSE == 0x08, "EV_FEATURE_EARLY_CLOSE");
static_assert(sizeof(enum event_method_feature) == sizeof(int), "enum event_method_feature");

static_assert(EVENT_BASE_FLAG_NOLOCK == 0x01, "NOLOCK");
static_assert(EVENT_BASE_FLAG_IGNORE_ENV == 0x02, "IGNORE_ENV");
static_assert(EVENT_BASE_FLAG_STARTUP_IOCP == 0x04, "STARTUP_IOCP");
static_assert(EVENT_BASE_FLAG_NO_CACHE_TIME == 0x08, "NO_CACHE_TIME");
static_assert(EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST == 0x10, "EPOLL_USE_CHANGELIST");
static_assert(EVENT_BASE_FLAG_PRECISE_TIMER == 0x20, "PRECISE_TIMER");

static_assert(EVENT_LOG_DEBUG == 0 && _EVENT_LOG_DEBUG == 0, "EVENT_LOG_DEBUG");
static_assert(EVENT_LOG_MSG == 1 && _EVENT_LOG_MSG == 1, "EVENT_LOG_MSG");
static_assert(EVENT_LOG_WARN == 2 && _EVENT_LOG_WARN == 2, "EVENT_LOG_WARN");
static_assert(EVENT_LOG_ERR == 3 && _EVENT_LOG_ERR == 3, "EVENT_LOG_ERR");
static_assert(EVENT_DBG_ALL == 0xffffffffu, "EVENT_DBG_ALL");
static_assert(EVENT_DBG_NONE == 0, "EVENT_DBG_NONE");
static_assert(EVENT_MAX_PRIORITIES == 256, "EVENT_MAX_PRIORITIES");

static_assert(EVLIST_TIMEOUT == 0x01, "EVLIST_TIMEOUT");
static_assert(EVLIST_INSERTED == 0x02, "EVLIST_INSERTED");
static_assert(EVLIST_SIGNAL == 0x04, "EVLIST_SIGNAL");
static_assert(EVLIST_ACTIVE == 0x08, "EVLIST_ACTIVE");
static_assert(EVLIST_INTERNAL == 0x10, "EVLIST_INTERNAL");
static_assert(EVLIST_ACTIVE_LATER == 0x20, "EVLIST_ACTIVE_LATER");
static_assert(EVLIST_FINALIZING == 0x40, "EVLIST_FINALIZING");
static_assert(EVLIST_INIT == 0x80, "EVLIST_INIT");
static_assert(EVLIST_ALL == 0xff, "EVLIST_ALL");

static_assert(LIBEVENT_VERSION_NUMBER == 0x02010c00, "LIBEVENT_VERSION_NUMBER");

#ifndef EVENT_SET_MEM_FUNCTIONS_IMPLEMENTED
#error "event_set_mem_functions() is missing"
#endif

TEST(LoopLayout, LibraryAgreesWithHeadersOnTheSizeOfAnEvent) {
  EXPECT_EQ(event_get_struct_event_size(), sizeof(struct event));
}

TEST(LoopLayout, LibraryAgreesWithHeadersOnTheVersion) {
  EXPECT_EQ(event_get_version_number(), static_cast<ev_uint32_t>(LIBEVENT_VERSION_NUMBER));
  EXPECT_STREQ(event_get_version(), LIBEVENT_VERSION);
  EXPECT_STREQ(LIBEVENT_VERSION, "2.1.12-stable");
}

void Nothing(evutil_socket_t, short, void *) {}

// What a program compiled against libevent's layout finds in the fields.
TEST(LoopLayout, AssignFillsTheFieldsThatProgramsRead) {
  struct event_config *config = event_config_new();
  ASSERT_NE(config, nullptr);
  struct event_base *base = event_base_new_with_config(config);
  event_config_free(config);
  ASSERT_NE(base, nullptr);
  struct event ev;
  memset(&ev, 0, sizeof(ev));
  EXPECT_FALSE(event_initialized(&ev));
  int arg = 0;
  ASSERT_EQ(event_assign(&ev, base, -1, EV_PERSIST, Nothing, &arg), 0);
  EXPECT_TRUE(event_initialized(&ev));
  EXPECT_EQ(ev.ev_fd, -1);
  EXPECT_EQ(ev.ev_base, base);
  EXPECT_EQ(ev.ev_events, EV_PERSIST);
  EXPECT_EQ(ev.ev_evcallback.evcb_cb_union.evcb_callback, Nothing);
  EXPECT_EQ(ev.ev_evcallback.evcb_arg, &arg);
  EXPECT_EQ(ev.ev_evcallback.evcb_flags, EVLIST_INIT);
  const struct timeval hour = {3600, 0};
  ASSERT_EQ(event_add(&ev, &hour), 0);
  EXPECT_EQ(ev.ev_evcallback.evcb_flags & EVLIST_TIMEOUT, EVLIST_TIMEOUT);
  ASSERT_EQ(event_del(&ev), 0);
  EXPECT_EQ(ev.ev_evcallback.evcb_flags, EVLIST_INIT);
  event_base_free(base);
}

}  // namespace

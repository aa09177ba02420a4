// Every kind of bufferevent: who may free what, and when. A memory checker watches these tests.
#include "net/conformance_testing.h"

namespace conformance {
namespace {

class ConformanceLifetime : public Conformance {
 protected:
  bool is_bare_pair() const { return !flavour().has_filter() && flavour().stream == Stream::kPair; }
};

INSTANTIATE_TEST_SUITE_P(All, ConformanceLifetime, ::testing::ValuesIn(AllFlavours()), FlavourName);

TEST_P(ConformanceLifetime, FreedByItsReadCallback) {
  b_.on_read = [&] {
    b_.Write("never mind");
    b_.Free();
  };
  b_.Enable(EV_READ);
  a_.Write("abc");
  ASSERT_TRUE(Until([&] { return b_.get() == nullptr; }));
  Settle();
  EXPECT_EQ(1, b_.reads);
  EXPECT_EQ("abc", b_.received);
  EXPECT_TRUE(b_.events.empty());
}

TEST_P(ConformanceLifetime, FreedByItsWriteCallback) {
  b_.Enable(EV_READ);
  a_.on_write = [&] { a_.Free(); };
  a_.Write("abc");
  ASSERT_TRUE(Until([&] { return a_.get() == nullptr; }));
  Settle();
  EXPECT_EQ(1, a_.writes);
}

TEST_P(ConformanceLifetime, FreedByItsEventCallback) {
  b_.on_event = [&](short) { b_.Free(); };
  bufferevent_trigger_event(b_, BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
  ASSERT_TRUE(Until([&] { return b_.get() == nullptr; }));
  Settle();
  EXPECT_EQ(1u, b_.events.size());
}

TEST_P(ConformanceLifetime, FreedByATrigger) {
  b_.on_read = [&] { b_.Free(); };
  bufferevent_trigger(b_, EV_READ | EV_WRITE, BEV_TRIG_IGNORE_WATERMARKS);
  ASSERT_TRUE(Until([&] { return b_.get() == nullptr; }));
  Settle();
  EXPECT_EQ(1, b_.reads);
  EXPECT_EQ(0, b_.writes);
}

TEST_P(ConformanceLifetime, ReadCallbackFreesTheOtherEnd) {
  b_.on_read = [&] { a_.Free(); };
  a_.Enable(EV_READ);
  b_.Enable(EV_READ);
  a_.Write("abc");
  ASSERT_TRUE(Until([&] { return a_.get() == nullptr; }));
  b_.Write("into the void");
  Settle();
  EXPECT_EQ("abc", b_.received);
  EXPECT_EQ(0, a_.reads);
}

TEST_P(ConformanceLifetime, ReadCallbackFreesBothEnds) {
  b_.on_read = [&] {
    b_.Free();
    a_.Free();
  };
  a_.on_write = [&] { EXPECT_NE(nullptr, a_.get()); };
  b_.Enable(EV_READ);
  a_.Write(Pattern(100000));
  ASSERT_TRUE(Until([&] { return a_.get() == nullptr && b_.get() == nullptr; }));
  Settle();
  EXPECT_EQ(1, b_.reads);
}

TEST_P(ConformanceLifetime, WriteCallbackFreesBothEnds) {
  a_.on_write = [&] {
    a_.Free();
    b_.Free();
  };
  b_.Enable(EV_READ);
  a_.Write("abc");
  ASSERT_TRUE(Until([&] { return a_.get() == nullptr; }));
  Settle();
  EXPECT_EQ(1, a_.writes);
}

TEST_P(ConformanceLifetime, BothCallbacksFreeTheOther) {
  a_.on_read = [&] { b_.Free(); };
  b_.on_read = [&] { a_.Free(); };
  a_.Enable(EV_READ);
  b_.Enable(EV_READ);
  a_.Write("abc");
  b_.Write("def");
  ASSERT_TRUE(Until([&] { return a_.get() == nullptr || b_.get() == nullptr; }));
  Settle();
  EXPECT_EQ(1, a_.reads + b_.reads);
}

TEST_P(ConformanceLifetime, BufferCallbackFreesIt) {
  if (kOnLibevent) GTEST_SKIP() << "its filters touch the bufferevent afterwards";
  b_.Enable(EV_READ);
  evbuffer_add_cb(
      b_.input(),
      [](struct evbuffer *, const struct evbuffer_cb_info *info, void *arg) {
        if (info->n_added > 0) static_cast<End *>(arg)->Free();
      },
      &b_);
  a_.Write("abc");
  ASSERT_TRUE(Until([&] { return b_.get() == nullptr; }));
  Settle();
  EXPECT_EQ(0, b_.reads);
}

TEST_P(ConformanceLifetime, FreedWhileADeferredCallbackWaits) {
  bufferevent_trigger(b_, EV_READ | EV_WRITE,
                      BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
  bufferevent_trigger_event(b_, BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
  b_.Free();
  Settle();
  EXPECT_EQ(0, b_.reads + b_.writes);
  EXPECT_TRUE(b_.events.empty());
}

TEST_P(ConformanceLifetime, FreedWithDataUnderWay) {
  for (int turns = 0; turns < 4; turns++) {
    for (int who = 0; who < 4; who++) {
      Link link(loop_, flavour());
      link[0].Enable(EV_READ);
      link[1].Enable(EV_READ);
      link[0].Write(Pattern(100000));
      link[1].Write("abc");
      for (int i = 0; i < turns; i++) event_base_loop(loop_, EVLOOP_ONCE | EVLOOP_NONBLOCK);
      const int reads[2] = {link[0].reads, link[1].reads};
      const int writes[2] = {link[0].writes, link[1].writes};
      const int first = who & 1;
      link[first].Free();
      if (who & 2) link[1 - first].Free();
      Settle();
      EXPECT_EQ(reads[first], link[first].reads);
      EXPECT_EQ(writes[first], link[first].writes);
      EXPECT_TRUE(link[first].events.empty());
      link[1 - first].Free();
      Settle();
    }
  }
}

TEST_P(ConformanceLifetime, FreedWithEverythingPendingAndTheBaseRightAfter) {
  // libevent leaks what a queued callback refers to.
  if (kOnLibevent) GTEST_SKIP();
  for (int turns = 0; turns < 3; turns++) {
    Loop loop;
    Link link(loop, flavour());
    const struct timeval later = Ms(100000);
    for (int i = 0; i < 2; i++) {
      link[i].takes = false;
      bufferevent_set_timeouts(link[i], &later, &later);
      link[i].Watermark(EV_READ, 0, 4);
      link[i].Enable(EV_READ | EV_WRITE);
      link[i].Write(Pattern(500000));
    }
    for (int i = 0; i < turns; i++) event_base_loop(loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    link[0].Free();
    link[1].Free();
  }
}

TEST_P(ConformanceLifetime, ReferencesKeepIt) {
  struct bufferevent *bev = b_.get();
  bufferevent_incref(bev);
  EXPECT_EQ(0, bufferevent_decref(bev));
  bufferevent_incref(bev);
  b_.Free();
  EXPECT_EQ(0u, evbuffer_get_length(bufferevent_get_input(bev)));
  Settle();
  EXPECT_EQ(1, bufferevent_decref(bev));
  Settle();
}

// Freed, but referred to: the other end may still do what it likes.
TEST_P(ConformanceLifetime, WritingToOneThatIsFreedButReferredTo) {
  b_.Enable(EV_READ);
  struct bufferevent *bev = b_.get();
  bufferevent_incref(bev);
  b_.Free();
  a_.Write("abc");
  a_.Enable(EV_READ);
  Settle();
  EXPECT_EQ(0, b_.reads);
  bufferevent_decref(bev);
  a_.Write("def");
  Settle();
}

TEST_P(ConformanceLifetime, PartnerOfAFreedOneIsNone) {
  if (!is_bare_pair()) GTEST_SKIP();
  EXPECT_EQ(b_.get(), bufferevent_pair_get_partner(a_));
  EXPECT_EQ(a_.get(), bufferevent_pair_get_partner(b_));
  b_.Free();
  Settle();
  EXPECT_EQ(nullptr, bufferevent_pair_get_partner(a_));
  a_.Enable(EV_READ | EV_WRITE);
  EXPECT_EQ(0, a_.Write("abc"));
  Settle();
  EXPECT_EQ(3u, a_.output_len());
}

TEST_P(ConformanceLifetime, OnlyPairsHavePartners) {
  if (is_bare_pair()) GTEST_SKIP();
  EXPECT_EQ(nullptr, bufferevent_pair_get_partner(a_));
}

// Without BEV_OPT_CLOSE_ON_FREE what is under a filter stays, and works without it.
TEST_P(ConformanceLifetime, UnderlyingOutlivesItsFilter) {
  if (flavour().layer != Layer::kIdentity) GTEST_SKIP();
  Link link(loop_, flavour(), false);
  link[1].Enable(EV_READ);
  link[0].Write("filtered");
  ASSERT_TRUE(Until([&] { return link[1].received == "filtered"; }));
  struct bufferevent *bottom[2] = {link.bottom(0), link.bottom(1)};
  link[0].Free();
  link[1].Free();
  Settle();
  bufferevent_data_cb read, write;
  bufferevent_event_cb event;
  bufferevent_getcb(bottom[1], &read, &write, &event, nullptr);
  EXPECT_EQ(nullptr, read);
  EXPECT_EQ(nullptr, write);
  EXPECT_EQ(nullptr, event);
  bufferevent_enable(bottom[1], EV_READ);
  bufferevent_write(bottom[0], "plain", 5);
  EXPECT_TRUE(Until([&] { return evbuffer_get_length(bufferevent_get_input(bottom[1])) == 5; }));
  bufferevent_free(bottom[0]);
  bufferevent_free(bottom[1]);
  Settle();
}

TEST_P(ConformanceLifetime, UnderlyingFreedFirst) {
  if (!flavour().has_filter()) GTEST_SKIP();
  if (kOnLibevent) GTEST_SKIP() << "its filters go on using what was freed";
  Link link(loop_, flavour(), false);
  link[1].Enable(EV_READ);
  link[0].Write("abc");
  Settle();
  bufferevent_free(link.bottom(0));
  bufferevent_free(link.bottom(1));
  link[0].Write("def");
  Settle();
  link[1].Free();
  Settle();
  link[0].Free();
  Settle();
}

TEST_P(ConformanceLifetime, CallbackFreesTheUnderlying) {
  if (!flavour().has_filter()) GTEST_SKIP();
  if (kOnLibevent) GTEST_SKIP() << "its filters go on using what was freed";
  Link link(loop_, flavour(), false);
  End &b = link[1];
  bool freed = false;
  b.on_read = [&] {
    if (freed) return;
    freed = true;
    bufferevent_free(link.bottom(1));
  };
  b.Enable(EV_READ);
  link[0].Write("abc");
  ASSERT_TRUE(Until([&] { return freed; }));
  Settle();
  b.Free();
  link[0].Free();
  bufferevent_free(link.bottom(0));
  Settle();
}

TEST_P(ConformanceLifetime, CallbackFreesFilterAndUnderlying) {
  if (!flavour().has_filter()) GTEST_SKIP();
  if (kOnLibevent) GTEST_SKIP() << "its filters go on using what was freed";
  for (const bool filter_first : {true, false}) {
    Link link(loop_, flavour(), false);
    End &b = link[1];
    b.on_read = [&] {
      if (filter_first) b.Free();
      bufferevent_free(link.bottom(1));
      if (!filter_first) b.Free();
    };
    b.Enable(EV_READ);
    link[0].Write("abc");
    ASSERT_TRUE(Until([&] { return b.get() == nullptr; }));
    link[0].Free();
    bufferevent_free(link.bottom(0));
    Settle();
    EXPECT_EQ(1, b.reads);
  }
}

TEST_P(ConformanceLifetime, ContextIsFreedOnce) {
  if (flavour().layer != Layer::kZlib) GTEST_SKIP();
  EXPECT_EQ(2, ZlibCodec::num_alive());
  a_.Free();
  Settle();
  EXPECT_EQ(1, ZlibCodec::num_alive());
  b_.Free();
  Settle();
  EXPECT_EQ(0, ZlibCodec::num_alive());
}

TEST_P(ConformanceLifetime, FilterOverFilter) {
  if (!flavour().has_filter()) GTEST_SKIP();
  Link link(loop_, flavour(), false);
  struct bufferevent *top[2];
  for (int i = 0; i < 2; i++) {
    const int options = flavour().options | BEV_OPT_CLOSE_ON_FREE;
    top[i] = bufferevent_filter_new(link[i], PassOn, PassOn, options, nullptr, nullptr);
    ASSERT_NE(nullptr, top[i]);
    EXPECT_EQ(link[i].get(), bufferevent_get_underlying(top[i]));
  }
  bufferevent_enable(top[1], EV_READ);
  const std::string bytes = Pattern(200000);
  bufferevent_write(top[0], bytes.data(), bytes.size());
  struct evbuffer *input = bufferevent_get_input(top[1]);
  ASSERT_TRUE(Until([&] { return evbuffer_get_length(input) >= bytes.size(); }));
  EXPECT_EQ(0, memcmp(bytes.data(), evbuffer_pullup(input, -1), bytes.size()));
  // They own the middle ones, which do not own the bottom ones.
  struct bufferevent *bottom[2] = {link.bottom(0), link.bottom(1)};
  for (int i = 0; i < 2; i++) {
    bufferevent_free(top[i]);
    link[i].Forget();
  }
  Settle();
  bufferevent_free(bottom[0]);
  bufferevent_free(bottom[1]);
  Settle();
}

}  // namespace
}  // namespace conformance

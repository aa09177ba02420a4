// Filters, and what they lie over, freed in every place.
#include "net/filter_testing.h"

namespace {

using namespace filter_testing;

using BuffereventFilterLifetime = FilterTest;

INSTANTIATE_FILTER_TESTS(BuffereventFilterLifetime);

TEST_P(BuffereventFilterLifetime, FreeingItFreesTheUnderlying) {
  auto filter = Coded();
  filter->Free();
  loop_.Settle();
  EXPECT_EQ(1, context_.num_freed);
  if (GetParam().over_pair)
    EXPECT_EQ(nullptr, bufferevent_pair_get_partner(*peer_));
  else
    EXPECT_EQ(-1, fcntl(fd_[0], F_GETFD));
}

TEST_P(BuffereventFilterLifetime, FreeingItGivesTheUnderlyingBack) {
  auto filter = Over(below_, Decode, Encode, &context_, 0);
  filter->Free();
  loop_.Settle();
  EXPECT_EQ(1, context_.num_freed);
  bufferevent_data_cb readcb;
  bufferevent_getcb(below_, &readcb, nullptr, nullptr, nullptr);
  EXPECT_EQ(nullptr, readcb);
  Bev below(below_);
  below.Enable(EV_READ);
  peer_->Write("plain");
  EXPECT_TRUE(loop_.RunUntil([&] { return below.received == "plain"; }));
}

TEST_P(BuffereventFilterLifetime, AFailureLeavesTheUnderlyingAlone) {
  const QuietLog quiet;
  EXPECT_EQ(nullptr, bufferevent_filter_new(below_, Decode, Encode, BEV_OPT_UNLOCK_CALLBACKS,
                                            FreeContext, &context_));
  EXPECT_EQ(0, context_.num_freed);
  Bev below(below_);
  below.Enable(EV_READ);
  peer_->Write("plain");
  EXPECT_TRUE(loop_.RunUntil([&] { return below.received == "plain"; }));
}

TEST_P(BuffereventFilterLifetime, OutlivesAnUnderlyingThatIsFreed) {
  if (kOnLibevent) GTEST_SKIP() << "frees it twice";
  auto filter = Coded();
  filter->Enable(EV_READ);
  bufferevent_free(below_);
  filter->Write("x");
  loop_.Settle();
  EXPECT_EQ(1u, filter->output_len());
  EXPECT_EQ(0, bufferevent_flush(*filter, EV_READ | EV_WRITE, BEV_FINISHED));
  EXPECT_EQ(-1, bufferevent_setfd(*filter, 0));
  filter->Free();
  loop_.Settle();
  EXPECT_EQ(1, context_.num_freed);
}

TEST_P(BuffereventFilterLifetime, CallbacksMayFree) {
  bufferevent_free(below_);
  peer_->Free();
  enum { kFilter = 1, kUnderlying = 2, kPeer = 4, kEnd = 8 };
  for (int which = 1; which < kEnd; which++) {
    // libevent can't have the underlying freed from under a filter that owns it.
    if (kOnLibevent && which & kUnderlying) continue;
    for (int callback = 0; callback < 3; callback++) {
      Open();
      Context context;
      auto filter = Over(below_, Decode, Encode, &context);
      bool has_acted = false;
      const auto act = [&] {
        if (std::exchange(has_acted, true)) return;
        if (which & kUnderlying) bufferevent_free(below_);
        if (which & kFilter) filter->Free();
        if (which & kPeer) peer_->Free();
      };
      if (callback == 0) filter->on_read = act;
      if (callback == 1) filter->on_write = act;
      if (callback == 2) filter->on_event = [&](short) { act(); };
      filter->Enable(EV_READ);
      filter->Write("A");
      if (peer_->get()) peer_->Write("4142");
      EXPECT_TRUE(loop_.RunUntil([&] { return has_acted || filter->reads > 0; }));
      if (callback == 2 && peer_->get()) End(peer_.get(), GetParam().over_pair);
      EXPECT_TRUE(loop_.RunUntil([&] { return has_acted; }));
      loop_.Settle();
      EXPECT_EQ(which & kFilter ? nullptr : filter->get(), filter->get());
      filter->Free();
      peer_->Free();
      loop_.Settle();
      EXPECT_EQ(1, context.num_freed);
    }
  }
}

TEST_P(BuffereventFilterLifetime, FunctionsMayFree) {
  if (kOnLibevent) GTEST_SKIP() << "uses freed memory";
  bufferevent_free(below_);
  peer_->Free();
  for (int direction = 0; direction < 2; direction++) {
    Open();
    Context context;
    auto filter = Over(below_, Decode, Encode, &context);
    context.on_call = [&] {
      filter->Free();
      peer_->Free();
    };
    filter->Enable(EV_READ);
    if (direction == 0)
      bufferevent_write(*filter, "A", 1);
    else
      bufferevent_write(*peer_, "41", 2);
    EXPECT_TRUE(loop_.RunUntil([&] { return filter->get() == nullptr; }));
    loop_.Settle();
    EXPECT_EQ(0, filter->reads + filter->writes);
    EXPECT_EQ(1, context.num_freed);
  }
}

TEST_P(BuffereventFilterLifetime, NoCallbackAfterFree) {
  auto filter = Coded();
  filter->Enable(EV_READ);
  peer_->Write("4142");
  filter->Free();
  loop_.Settle();
  EXPECT_EQ(0, filter->reads + filter->writes);
}

TEST_P(BuffereventFilterLifetime, WriteThenFreeInACallback) {
  auto filter = Over(below_, Decode, Encode, &context_, 0);
  filter->on_read = [&] {
    bufferevent_write(*filter, "Z", 1);
    filter->Free();
  };
  filter->Enable(EV_READ);
  peer_->Write("41");
  EXPECT_TRUE(loop_.RunUntil([&] { return peer_->received == "5a"; }));
  bufferevent_free(below_);
}

}  // namespace

// What net/ builds on: a descriptor with one owner that stays registered, and its wants.
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <memory>

extern "C" {
#include "backends/sim/sim.h"
#include "loop/io_source.h"
#include "util/executor.h"
}

#include "loop/test_support.h"

namespace {

// A source that counts how often its task was run and, like a good owner, takes what was ready.
struct Source {
  struct event_io_source source = {};
  int num_runs = 0;

  Source() {
    source.fd = -1;
    event_callback_init(&source.task, 0, Run, this);
  }
  ~Source() { event_io_source_detach(&source); }
  struct event_io_source *get() {
    return &source;
  }
  static void Run(struct event_callback *, void *arg) {
    Source *self = static_cast<Source *>(arg);
    self->num_runs++;
    event_io_source_clear_ready(&self->source, EV_READ | EV_WRITE);
  }
};

TEST(IoSource, SeveralForOneDescriptor) {
  Loop loop;
  Pair pair;
  Source first, second;
  ASSERT_EQ(0, event_io_source_attach(first.get(), loop, pair[0]));
  event_io_source_set_want(first.get(), EV_WRITE);
  loop.Turn();
  EXPECT_EQ(1, first.num_runs);
  // What was reported before is reported for the second one again.
  ASSERT_EQ(0, event_io_source_attach(second.get(), loop, pair[0]));
  event_io_source_set_want(second.get(), EV_WRITE);
  loop.Turn();
  EXPECT_EQ(1, second.num_runs);
  event_io_source_detach(first.get());
  event_io_source_set_want(second.get(), EV_READ);
  EXPECT_EQ(1, send(pair[1], "x", 1, 0));
  loop.Turn();
  EXPECT_EQ(2, second.num_runs);
}

TEST(IoSource, DescriptorsThatAreNone) {
  Loop loop;
  Source source;
  EXPECT_EQ(-1, event_io_source_attach(source.get(), loop, -1));
  EXPECT_EQ(EBADF, errno);
#ifdef _WIN32
  // Any number might be a socket's; it shows when something is wanted of it.
  ASSERT_EQ(0, event_io_source_attach(source.get(), loop, 0x7fffffff));
  EXPECT_EQ(-1, event_io_source_set_want(source.get(), EV_READ));
  EXPECT_EQ(EBADF, errno);
#else
  EXPECT_EQ(-1, event_io_source_attach(source.get(), loop, 0x7fffffff));
  EXPECT_EQ(EBADF, errno);
  EXPECT_FALSE(event_io_source_is_attached(source.get()));
#endif
}

TEST(IoSource, NothingHappensWhileDetached) {
  Loop loop;
  Pair pair;
  Source source;
  EXPECT_EQ(0, event_io_source_set_want(source.get(), EV_READ));
  event_io_source_set_ready(source.get(), EV_READ);
  event_io_source_clear_ready(source.get(), EV_READ);
  event_io_source_detach(source.get());
  ASSERT_EQ(0, event_io_source_attach(source.get(), loop, pair[0]));
  loop.Turn();
  EXPECT_EQ(0, source.num_runs);
  EXPECT_EQ(0, event_base_get_num_events(loop, EVENT_BASE_COUNT_VIRTUAL));
}

TEST(IoSource, WantKeepsTheLoopAlive) {
  Loop loop;
  Pair pair;
  Source source;
  ASSERT_EQ(0, event_io_source_attach(source.get(), loop, pair[0]));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(0, event_io_source_set_want(source.get(), EV_READ));
  EXPECT_EQ(1, event_base_get_num_events(loop, EVENT_BASE_COUNT_VIRTUAL));
  EXPECT_EQ(0, event_io_source_set_want(source.get(), EV_READ | EV_WRITE));
  EXPECT_EQ(1, event_base_get_num_events(loop, EVENT_BASE_COUNT_VIRTUAL));
  event_io_source_detach(source.get());
  EXPECT_EQ(0, event_base_get_num_events(loop, EVENT_BASE_COUNT_VIRTUAL));
  EXPECT_EQ(1, loop.Dispatch());
}

TEST(IoSource, ReadinessWaitsForTheWant) {
  Loop loop;
  Pair pair;
  Source source;
  ASSERT_EQ(0, event_io_source_attach(source.get(), loop, pair[0]));
  event_io_source_set_ready(source.get(), EV_READ);
  loop.Turn();
  EXPECT_EQ(0, source.num_runs);
  EXPECT_EQ(0, event_io_source_set_want(source.get(), EV_READ));
  EXPECT_EQ(0, source.num_runs) << "never from inside a call";
  loop.Turn();
  EXPECT_EQ(1, source.num_runs);
  loop.Turn();
  EXPECT_EQ(1, source.num_runs) << "it was used up";
  event_io_source_set_ready(source.get(), EV_READ);
  event_io_source_set_ready(source.get(), EV_READ);
  loop.Turn();
  EXPECT_EQ(2, source.num_runs) << "queued once";
  pair.Send(1, "x");
  EXPECT_TRUE(loop.RunUntil([&] { return source.num_runs == 3; }));
}

// --- A backend that refuses ---

class Refusing : public ::testing::Test {
 protected:
  struct strata_sim *sim_ = strata_sim_new();
  std::unique_ptr<Loop> loop_{new Loop(strata_sim_base_new(sim_, nullptr))};

  void TearDown() override {
    loop_.reset();
    strata_sim_free(sim_);
  }
};

TEST_F(Refusing, AttachingFails) {
  Source source;
  ASSERT_EQ(0, strata_sim_refuse(sim_, 5, EPERM));
  EXPECT_EQ(-1, event_io_source_attach(source.get(), *loop_, 5));
  EXPECT_EQ(EPERM, errno);
  EXPECT_FALSE(event_io_source_is_attached(source.get()));
  ASSERT_EQ(0, strata_sim_refuse(sim_, 5, 0));
  EXPECT_EQ(0, event_io_source_attach(source.get(), *loop_, 5)) << "the place is free";
  event_io_source_detach(source.get());
}

// Beside a level-triggered event the registration follows the want, and so a want can fail.
TEST_F(Refusing, WantStaysWhatItWas) {
  Ev ev(*loop_, 5, EV_READ | EV_PERSIST);
  ASSERT_EQ(0, ev.Add());
  {
    Source source;
    ASSERT_EQ(0, event_io_source_attach(source.get(), *loop_, 5));
    ASSERT_EQ(0, strata_sim_refuse(sim_, 5, ENOMEM));
    EXPECT_EQ(-1, event_io_source_set_want(source.get(), EV_WRITE));
    EXPECT_EQ(ENOMEM, errno);
    EXPECT_EQ(0, source.source.want);
    EXPECT_EQ(0, event_base_get_num_events(*loop_, EVENT_BASE_COUNT_VIRTUAL));
    EXPECT_EQ(EV_READ, strata_sim_interest(sim_, 5) & (EV_READ | EV_WRITE));
    ASSERT_EQ(0, strata_sim_refuse(sim_, 5, 0));
    EXPECT_EQ(0, event_io_source_set_want(source.get(), EV_WRITE));
    EXPECT_EQ(EV_READ | EV_WRITE, strata_sim_interest(sim_, 5) & (EV_READ | EV_WRITE));
    ASSERT_EQ(0, strata_sim_refuse(sim_, 5, ENOMEM));
    EXPECT_EQ(0, event_io_source_set_want(source.get(), 0)) << "less always works";
    ASSERT_EQ(0, strata_sim_refuse(sim_, 5, 0));
  }
  ev.Del();
}

int g_num_warnings;

// Changes are put off, and then find no memory: they are made once there is some.
class LateAndRefusing : public Refusing {
 protected:
  void SetUp() override {
    batching_.features |= STRATA_READINESS_BATCHES;
    const struct event_readiness_ops *const table[] = {&batching_, nullptr};
    loop_.reset();
    strata_sim_make_current(sim_);
    loop_.reset(new Loop(event_base_new_with_backends(nullptr, table)));
    g_num_warnings = 0;
    event_set_log_callback([](int, const char *) { g_num_warnings++; });
  }
  void TearDown() override {
    event_set_log_callback(nullptr);
    EXPECT_EQ(0, g_num_warnings);
    Refusing::TearDown();
  }

  struct event_readiness_ops batching_ = event_sim_ops;
};

TEST_F(LateAndRefusing, AnEventIsAdded) {
  Ev ev(*loop_, 5, EV_READ | EV_PERSIST, [&](int, short) { event_base_loopbreak(*loop_); });
  ASSERT_EQ(0, strata_sim_refuse(sim_, 5, ENOMEM));
  ASSERT_EQ(0, ev.Add());
  const struct timeval second = {1, 0};
  event_base_loopexit(*loop_, &second);
  EXPECT_EQ(0, loop_->Dispatch());
  EXPECT_EQ(0, strata_sim_interest(sim_, 5));
  EXPECT_GT(strata_sim_num_waits(sim_), 10) << "it sleeps through what it has to try again";
  EXPECT_LT(strata_sim_num_waits(sim_), 1000) << "it spins";
  ASSERT_EQ(0, strata_sim_refuse(sim_, 5, 0));
  ASSERT_EQ(0, strata_sim_raise(sim_, 5, EV_READ));
  EXPECT_EQ(0, loop_->Dispatch());
  EXPECT_EQ(1, ev.calls);
  ev.Del();
}

// For all that the base knows, the number is another file's now.
TEST_F(LateAndRefusing, AnEventIsAddedAnew) {
  Ev ev(*loop_, 5, EV_READ | EV_PERSIST);
  ASSERT_EQ(0, ev.Add());
  loop_->Turn();
  ASSERT_EQ(EV_READ, strata_sim_interest(sim_, 5));
  ev.Del();
  ASSERT_EQ(0, ev.Add());
  ASSERT_EQ(0, strata_sim_refuse(sim_, 5, ENOMEM));
  loop_->Turn();
  loop_->Turn();
  ASSERT_EQ(0, strata_sim_refuse(sim_, 5, 0));
  const long num_before = strata_sim_num_changes(sim_);
  loop_->Turn();
  EXPECT_EQ(num_before + 1, strata_sim_num_changes(sim_));
  loop_->Turn();
  EXPECT_EQ(num_before + 1, strata_sim_num_changes(sim_));
  ev.Del();
}

// The lowest free descriptor's number: how a leak of one shows.
int LowestFree() {
  const int fd = dup(0);
  EXPECT_GE(fd, 0);
  close(fd);
  return fd;
}

TEST_F(Refusing, SignalEventsLeaveNoPipeBehind) {
  const int lowest_before = LowestFree();
  for (int fd = 0; fd < 256; fd++) ASSERT_EQ(0, strata_sim_refuse(sim_, fd, ENOMEM));
  Ev ev(*loop_, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  EXPECT_EQ(-1, ev.Add());
  EXPECT_EQ(0, ev.Pending(EV_SIGNAL));
  EXPECT_EQ(lowest_before, LowestFree());
  for (int fd = 0; fd < 256; fd++) ASSERT_EQ(0, strata_sim_refuse(sim_, fd, 0));
  EXPECT_EQ(0, ev.Add());
}

}  // namespace

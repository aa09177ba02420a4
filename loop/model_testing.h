#ifndef STRATA_LOOP_MODEL_TESTING_H_
#define STRATA_LOOP_MODEL_TESTING_H_

// A base on the simulated backend and a plain loop (loop/plain_loop_testing.h) that are given the
// same calls, from inside and outside of callbacks. Who is called, with what, at what time, how
// often, and what event_pending() and the counts say, must agree. What is done is chosen by a
// source: random numbers in loop/model_test.cc, a fuzzer's input in fuzz/loop_ops_fuzz.cc.

#include <errno.h>
#include <event2/event.h>
#include <event2/watch.h>

#include <algorithm>
#include <vector>

#include "backends/sim/sim.h"
#include "loop/plain_loop_testing.h"

namespace loop_model {

class Source {
 public:
  virtual ~Source() = default;
  // Below limit, which is not 0 and at most 256.
  virtual unsigned Choose(unsigned limit) = 0;
  // Says that `what` does not hold. May return.
  virtual void Fail(const char *what, const char *file, int line) = 0;
};

#define LOOP_MODEL_CHECK(condition)                                 \
  do {                                                              \
    if (!(condition)) source_.Fail(#condition, __FILE__, __LINE__); \
  } while (0)

class Model {
 public:
  explicit Model(Source &source)
      : source_(source), sim_(strata_sim_new()), plain_(strata_sim_now_ns(sim_)) {
    event_set_log_callback(Ignore);
    MakeBase();
    for (int i = 0; i < kNumEvents; i++) {
      contexts_[i] = {this, i};
      Make(i);
    }
    prepare_ = evwatch_prepare_new(base_, OnPrepare, this);
  }
  ~Model() {
    for (struct event *event : events_) event_free(event);
    event_base_free(base_);  // With the watchers.
    strata_sim_free(sim_);
    event_set_log_callback(nullptr);
  }
  Model(const Model &) = delete;
  Model &operator=(const Model &) = delete;

  // One operation, which may be a run of the loop.
  void Step() {
    if (source_.Choose(4) == 0)
      Loop();
    else
      Operate();
    Check();
  }
  long num_calls() const { return num_calls_; }

 private:
  struct Context {
    Model *model;
    int index;
  };
  // A loop that calls more than this is broken off. Less than what one turn may run.
  static constexpr int kMaxCallsOfLoop = 40;

  static void Ignore(int, const char *) {}

  void MakeBase() {
    struct event_config *config = event_config_new();
    if (source_.Choose(4) == 0) {
      event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
      plain_.caches_time = false;
    }
    if (source_.Choose(3) == 0) {
      plain_.max_callbacks = 1 + static_cast<int>(source_.Choose(3));
      plain_.limit_from_priority = static_cast<int>(source_.Choose(kNumPriorities));
      event_config_set_max_dispatch_interval(config, nullptr, plain_.max_callbacks,
                                             plain_.limit_from_priority);
    }
    base_ = strata_sim_base_new(sim_, config);
    event_config_free(config);
    event_base_priority_init(base_, kNumPriorities);
    const struct timeval common[] = {{0, 3000}, {0, 10000}};
    for (int i = 0; i < 2; i++) common_[i] = event_base_init_common_timeout(base_, &common[i]);
  }

  // --- Operations ---

  void Make(int i) {
    static const short kKinds[] = {EV_READ, EV_WRITE, EV_READ | EV_WRITE, EV_READ | EV_CLOSED};
    short events = source_.Choose(2) ? EV_PERSIST : 0;
    int fd = -1;
    if (source_.Choose(2)) {
      fd = static_cast<int>(source_.Choose(kNumFds));
      events |= kKinds[source_.Choose(4)];
      if (source_.Choose(3) == 0) events |= EV_ET;
    } else if (source_.Choose(8) == 0) {
      events |= EV_READ;  // Of no descriptor: pending until it is activated or deleted.
    }
    plain_.events[i] = PlainEvent();
    plain_.events[i].fd = fd;
    plain_.events[i].events = events;
    events_[i] = event_new(base_, fd, events, OnEvent, &contexts_[i]);
    SetPriority(i);
  }
  void Remake(int i) {
    plain_.Del(i);
    event_free(events_[i]);
    Make(i);
  }
  void SetPriority(int i) {
    const int priority = static_cast<int>(source_.Choose(kNumPriorities));
    const bool is_active = plain_.events[i].active != 0;
    LOOP_MODEL_CHECK(event_priority_set(events_[i], priority) == (is_active ? -1 : 0));
    if (!is_active) plain_.events[i].priority = priority;
  }
  void Add(int i) {
    const struct timeval *timeout = nullptr;
    struct timeval tv = {0, 0};
    int64_t duration_ns = -1;
    const unsigned kind = source_.Choose(4);
    if (kind == 3) {
      const unsigned which = source_.Choose(2);
      timeout = common_[which];
      duration_ns = which == 0 ? 3000000 : 10000000;
    } else if (kind) {
      // Few different ones, so that many are equal.
      tv.tv_usec = static_cast<long>(source_.Choose(kind == 1 ? 8 : 200)) * 1000;
      duration_ns = tv.tv_usec * 1000LL;
      timeout = &tv;
    }
    LOOP_MODEL_CHECK(event_add(events_[i], timeout) == 0);
    plain_.Add(i, duration_ns, kind == 3);
  }
  // The backend refuses it; nothing must have changed.
  void AddRefused(int i) {
    if (!plain_.AddChangesMask(i)) return;
    const struct timeval tv = {0, 1000};
    strata_sim_refuse(sim_, plain_.events[i].fd, EPERM);
    LOOP_MODEL_CHECK(event_add(events_[i], &tv) == -1);
    strata_sim_refuse(sim_, plain_.events[i].fd, 0);
  }
  void Del(int i) {
    LOOP_MODEL_CHECK(event_del(events_[i]) == 0);
    plain_.Del(i);
  }
  void RemoveTimer(int i) {
    LOOP_MODEL_CHECK(event_remove_timer(events_[i]) == 0);
    plain_.RemoveTimer(i);
  }
  void Activate(int i) {
    static const short kWhats[] = {EV_READ, EV_WRITE, EV_TIMEOUT, EV_READ | EV_TIMEOUT};
    const short what = kWhats[source_.Choose(4)];
    event_active(events_[i], what, 1);
    plain_.Activate(i, what);
  }
  void ChangeIdle() {
    const int k = static_cast<int>(source_.Choose(kNumIdle));
    if (plain_.idles[k].priority >= 0) {
      evwatch_free(idles_[k]);
      plain_.idles[k].priority = -1;
      return;
    }
    const int priority = static_cast<int>(source_.Choose(kNumPriorities));
    idles_[k] = evwatch_idle_new(base_, priority, OnIdle, this);
    plain_.MakeIdle(k, priority);
  }
  void ChangeReadiness() {
    static const short kWhats[] = {EV_READ, EV_WRITE, EV_CLOSED, EV_READ | EV_WRITE};
    const int fd = static_cast<int>(source_.Choose(kNumFds));
    const short what = kWhats[source_.Choose(4)];
    const bool is_raise = source_.Choose(2);
    if (source_.Choose(2)) {
      PlainStep step = {plain_.now_ns + source_.Choose(50) * 1000000LL, fd, what, is_raise};
      plain_.Write(step);
      (is_raise ? strata_sim_raise_at : strata_sim_lower_at)(sim_, step.when_ns, fd, what);
    } else if (is_raise) {
      plain_.Raise(fd, what);
      strata_sim_raise(sim_, fd, what);
    } else {
      plain_.Lower(fd, what);
      strata_sim_lower(sim_, fd, what);
    }
  }
  void PassTime() {
    const int64_t by_ns = source_.Choose(20) * 1000000LL;
    strata_sim_advance(sim_, by_ns);
    plain_.now_ns += by_ns;
  }

  void Operate() {
    const int i = static_cast<int>(source_.Choose(kNumEvents));
    switch (source_.Choose(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return Add(i);
      case 5:
      case 6:
        return Del(i);
      case 7:
      case 8:
        return Activate(i);
      case 9:
      case 10:
        return ChangeReadiness();
      case 11:
        return PassTime();
      case 12:
        return Remake(i);
      case 13:
        return SetPriority(i);
      case 14:
        return source_.Choose(2) ? RemoveTimer(i) : AddRefused(i);
      case 15:
        return source_.Choose(3) ? Lower() : ChangeIdle();
    }
  }
  // Readiness by level that nobody takes back leaves nothing else a chance.
  void Lower() {
    for (int fd = 0; fd < kNumFds; fd++) {
      plain_.Lower(fd, kIo);
      strata_sim_lower(sim_, fd, kIo);
    }
  }

  // --- The loop ---

  void Loop() {
    static const int kFlags[] = {EVLOOP_ONCE,     EVLOOP_ONCE | EVLOOP_NONBLOCK,
                                 EVLOOP_NONBLOCK, 0,
                                 EVLOOP_ONCE,     EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY};
    const int flags = kFlags[source_.Choose(6)];
    num_calls_of_loop_ = 0;
    timeouts_usec_.clear();
    plain_.Begin(flags);
    const int result = event_base_loop(base_, flags);
    const Next next = plain_.Advance();
    LOOP_MODEL_CHECK(next.kind == Next::kEnd);
    LOOP_MODEL_CHECK(next.result == result);
    LOOP_MODEL_CHECK(timeouts_usec_ == plain_.timeouts_usec);
    LOOP_MODEL_CHECK(!event_base_got_break(base_) == !plain_.break_requested);
  }
  static void OnPrepare(struct evwatch *, const struct evwatch_prepare_cb_info *info, void *arg) {
    struct timeval tv = {0, 0};
    const bool has_timeout = evwatch_prepare_get_timeout(info, &tv);
    static_cast<Model *>(arg)->timeouts_usec_.push_back(
        has_timeout ? tv.tv_sec * 1000000LL + tv.tv_usec : -1);
  }
  static void OnEvent(evutil_socket_t fd, short what, void *arg) {
    const Context *context = static_cast<Context *>(arg);
    context->model->RunEvent(context->index, fd, what);
  }
  static void OnIdle(struct evwatch *watch, const struct evwatch_idle_cb_info *, void *arg) {
    static_cast<Model *>(arg)->RunIdle(watch);
  }
  void RunEvent(int i, evutil_socket_t fd, short what) {
    const Next next = plain_.Advance();
    const bool is_expected =
        next.kind == Next::kEvent &&
        std::find(next.events.begin(), next.events.end(), i) != next.events.end();
    LOOP_MODEL_CHECK(is_expected);
    LOOP_MODEL_CHECK(fd == plain_.events[i].fd);
    const short expected_what = plain_.Start(i);
    LOOP_MODEL_CHECK(what == expected_what);
    OperateInCallback();
  }
  void RunIdle(struct evwatch *watch) {
    const Next next = plain_.Advance();
    const bool is_expected = next.kind == Next::kIdle && idles_[next.idle] == watch;
    LOOP_MODEL_CHECK(is_expected);
    OperateInCallback();
  }
  void OperateInCallback() {
    num_calls_++;
    Check();
    for (unsigned num = source_.Choose(5); num > 2; num--) Operate();
    const unsigned control = source_.Choose(32);
    if (++num_calls_of_loop_ >= kMaxCallsOfLoop || control == 0) {
      event_base_loopbreak(base_);
      plain_.break_requested = true;
    } else if (control == 1) {
      event_base_loopcontinue(base_);
      plain_.continue_requested = true;
    }
    Check();
  }

  void Check() {
    constexpr short kAll = kIo | EV_TIMEOUT;
    LOOP_MODEL_CHECK(strata_sim_now_ns(sim_) == plain_.now_ns);
    for (int i = 0; i < kNumEvents; i++)
      LOOP_MODEL_CHECK(event_pending(events_[i], kAll, nullptr) == plain_.Pending(i));
    for (int fd = 0; fd < kNumFds; fd++)
      LOOP_MODEL_CHECK(strata_sim_interest(sim_, fd) == plain_.fds[fd].mask);
    LOOP_MODEL_CHECK(event_base_get_num_events(base_, EVENT_BASE_COUNT_ADDED) == plain_.NumAdded());
    LOOP_MODEL_CHECK(event_base_get_num_events(base_, EVENT_BASE_COUNT_ACTIVE) ==
                     plain_.NumActive());
    LOOP_MODEL_CHECK(event_base_get_num_events(base_, EVENT_BASE_COUNT_VIRTUAL) ==
                     plain_.NumIdle());
  }

  Source &source_;
  struct strata_sim *sim_;
  PlainLoop plain_;
  struct event_base *base_ = nullptr;
  struct event *events_[kNumEvents] = {};
  Context contexts_[kNumEvents];
  struct evwatch *prepare_ = nullptr, *idles_[kNumIdle] = {};
  const struct timeval *common_[2] = {};
  std::vector<int64_t> timeouts_usec_;
  int num_calls_of_loop_ = 0;
  long num_calls_ = 0;
};

#undef LOOP_MODEL_CHECK

}  // namespace loop_model

#endif  // STRATA_LOOP_MODEL_TESTING_H_

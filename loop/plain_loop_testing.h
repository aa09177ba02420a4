#ifndef STRATA_LOOP_PLAIN_LOOP_TESTING_H_
#define STRATA_LOOP_PLAIN_LOOP_TESTING_H_

// What an event loop is, as plainly as it can be said: vectors that are searched from end to end.
// Given the same calls as a base on backends/sim, it says which callback comes next, with what, and
// when. loop/model_testing.h compares.

#include <event2/event.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace loop_model {

constexpr int kNumEvents = 12;
constexpr int kNumFds = 5;
constexpr int kNumIdle = 3;
constexpr int kNumPriorities = 3;
constexpr int64_t kNever = INT64_MAX;
constexpr short kIo = EV_READ | EV_WRITE | EV_CLOSED;

struct PlainEvent {
  int fd = -1;
  short events = 0;
  int priority = kNumPriorities / 2;
  bool is_inserted = false;
  int64_t deadline_ns = kNever;  // kNever: no timeout is pending.
  bool is_common = false;        // The timeout is one of a common-timeout queue.
  int64_t interval_ns = 0;
  bool is_interval_common = false;
  short active = 0;  // With what; 0: it is not active.
};

struct PlainFd {
  short ready = 0, mask = 0, edges = 0;
};

struct PlainIdle {
  int priority = -1;  // -1: there is none.
  int number = 0;     // In the order of making.
};

struct PlainStep {
  int64_t when_ns;
  int fd;
  short what;
  bool is_raise;
};

// What the loop does next.
struct Next {
  enum Kind { kEvent, kIdle, kEnd } kind;
  std::vector<int> events;  // One of these: what became active at one moment has no order.
  int idle;
  int result;  // Of event_base_loop().
};

class PlainLoop {
 public:
  explicit PlainLoop(int64_t now_ns) : now_ns(now_ns) {}

  int64_t now_ns;
  bool caches_time = true;
  int max_callbacks = INT32_MAX, limit_from_priority = 0;
  PlainEvent events[kNumEvents];
  PlainFd fds[kNumFds];
  PlainIdle idles[kNumIdle];
  std::vector<int64_t> timeouts_usec;  // Of each turn of the last loop; -1: none.
  bool break_requested = false, continue_requested = false;

  // --- What users call ---

  void Add(int i, int64_t duration_ns, bool is_common) {
    PlainEvent &event = events[i];
    if (event.events & kIo) event.is_inserted = true;
    UpdateMask(event.fd);
    if (duration_ns < 0) return;
    if (event.events & EV_PERSIST) {
      event.interval_ns = duration_ns;
      event.is_interval_common = is_common;
    }
    if (event.active & EV_TIMEOUT) Deactivate(i);
    event.deadline_ns = Now() + duration_ns;
    event.is_common = is_common;
  }
  void Del(int i) {
    events[i].deadline_ns = kNever;
    events[i].is_inserted = false;
    Deactivate(i);
    UpdateMask(events[i].fd);
  }
  void RemoveTimer(int i) {
    if (events[i].deadline_ns == kNever) return;
    events[i].deadline_ns = kNever;
    events[i].interval_ns = 0;
  }
  void Activate(int i, short what) {
    num_moments_++;
    ActivateNow(i, what);
  }
  void MakeIdle(int k, int priority) {
    idles[k].priority = priority;
    idles[k].number = ++num_idles_made_;
  }
  short Pending(int i) const {
    const PlainEvent &event = events[i];
    short pending = event.active & (kIo | EV_TIMEOUT);
    if (event.is_inserted) pending |= event.events & kIo;
    if (event.deadline_ns != kNever) pending |= EV_TIMEOUT;
    return pending;
  }
  int NumAdded() const {
    int num = NumActive();
    for (const PlainEvent &event : events) num += event.is_inserted + (event.deadline_ns != kNever);
    return num;
  }
  int NumActive() const {
    size_t num = 0;
    for (const auto &queue : queues_) num += queue.size();
    return static_cast<int>(num);
  }
  int NumIdle() const {
    return static_cast<int>(
        std::count_if(idles, idles + kNumIdle, [](const PlainIdle &k) { return k.priority >= 0; }));
  }
  // Whether registering the event changes what the backend is asked for.
  bool AddChangesMask(int i) const {
    const PlainEvent &event = events[i];
    if (event.fd < 0 || event.is_inserted || !(event.events & kIo)) return false;
    return Mask(event.fd, &event) != fds[event.fd].mask;
  }

  // --- The world ---

  void Raise(int fd, short what) {
    fds[fd].ready |= what;
    fds[fd].edges |= what & fds[fd].mask & kIo;
  }
  void Lower(int fd, short what) {
    fds[fd].ready &= static_cast<short>(~what);
    fds[fd].edges &= fds[fd].ready;
  }
  void Write(const PlainStep &step) {
    auto is_later = [&](const PlainStep &other) { return other.when_ns > step.when_ns; };
    script_.insert(std::find_if(script_.begin(), script_.end(), is_later), step);
  }

  // --- The loop ---

  void Begin(int flags) {
    flags_ = flags;
    phase_ = kTurn;
    break_requested = false;
    timeouts_usec.clear();
  }
  // What comes next, after the callback that came last is over.
  Next Advance() {
    for (;;) {
      Next next = {Next::kEnd, {}, -1, 0};
      if (phase_ == kTurn && DoTurn(&next)) return next;
      if (phase_ == kIdling && DoIdle(&next)) return next;
      if (phase_ == kQueue && DoQueue(&next)) return next;
    }
  }
  // The callback of an event begins; with what.
  short Start(int i) {
    PlainEvent &event = events[i];
    const short what = event.active;
    Deactivate(i);
    if (!(event.events & EV_PERSIST)) {
      Del(i);
    } else if (!(what & EV_TIMEOUT) && event.interval_ns && event.deadline_ns != kNever) {
      event.deadline_ns = Now() + event.interval_ns;
      event.is_common = event.is_interval_common;
    }
    num_run_++;
    num_run_of_queue_++;
    return what;
  }

 private:
  enum Phase { kTurn, kIdling, kQueue };
  struct Active {
    int event;
    long moment;
  };

  int64_t Now() const { return cached_ns_ ? cached_ns_ : now_ns; }

  // With `added`, if that were watched too.
  short Mask(int fd, const PlainEvent *added) const {
    short mask = 0;
    bool is_by_level = false;
    for (const PlainEvent &event : events) {
      if (event.fd != fd || !(event.is_inserted || &event == added)) continue;
      mask |= event.events & kIo;
      is_by_level |= !(event.events & EV_ET);
    }
    return mask && !is_by_level ? mask | EV_ET : mask;
  }
  void UpdateMask(int fd) {
    if (fd < 0) return;
    const short mask = Mask(fd, nullptr);
    if (mask == fds[fd].mask) return;
    fds[fd].mask = mask;
    fds[fd].edges = fds[fd].ready & mask & kIo;
  }
  void ActivateNow(int i, short what) {
    PlainEvent &event = events[i];
    const bool was_active = event.active != 0;
    event.active |= what;
    if (was_active) return;
    queues_[event.priority].push_back({i, num_moments_});
    if (event.priority < running_priority_) continue_requested = true;
  }
  void Deactivate(int i) {
    events[i].active = 0;
    for (auto &queue : queues_)
      queue.erase(std::remove_if(queue.begin(), queue.end(),
                                 [i](const Active &active) { return active.event == i; }),
                  queue.end());
  }
  int MostUrgent() const {
    for (int priority = 0; priority < kNumPriorities; priority++)
      if (!queues_[priority].empty()) return priority;
    return kNumPriorities;
  }

  bool End(Next *next, int result) {
    next->result = result;
    cached_ns_ = 0;
    running_priority_ = 0;
    return true;
  }
  // True when the loop ends.
  bool DoTurn(Next *next) {
    if (break_requested) return End(next, 0);
    continue_requested = false;
    if (!(flags_ & EVLOOP_NO_EXIT_ON_EMPTY) && NumAdded() + NumIdle() == 0) return End(next, 1);
    if (!Collect()) return End(next, -1);
    num_run_ = 0;
    round_.clear();
    int most_urgent = kNumPriorities;
    for (const PlainIdle &idle : idles)
      if (idle.priority >= 0) most_urgent = std::min(most_urgent, idle.priority);
    if (most_urgent < MostUrgent())
      for (const PlainIdle &idle : idles)
        if (idle.priority == most_urgent) round_.push_back(idle.number);
    std::sort(round_.begin(), round_.end());
    phase_ = kIdling;
    return false;
  }
  bool DoIdle(Next *next) {
    phase_ = kTurn;
    if (break_requested) return false;
    while (!round_.empty()) {
      const int number = round_.front();
      round_.erase(round_.begin());
      for (int k = 0; k < kNumIdle; k++) {
        if (idles[k].priority < 0 || idles[k].number != number) continue;
        *next = {Next::kIdle, {}, k, 0};
        phase_ = kIdling;
        num_run_++;
        return true;
      }
    }
    if (NumActive()) {
      running_priority_ = MostUrgent();
      num_run_of_queue_ = 0;
      phase_ = kQueue;
      return false;
    }
    return (flags_ & EVLOOP_NONBLOCK || (flags_ & EVLOOP_ONCE && num_run_)) && End(next, 0);
  }
  bool DoQueue(Next *next) {
    const std::vector<Active> &queue = queues_[running_priority_];
    const int limit = running_priority_ >= limit_from_priority ? max_callbacks : INT32_MAX;
    const bool is_over =
        num_run_of_queue_ && (break_requested || continue_requested || num_run_of_queue_ >= limit);
    if (!is_over && !queue.empty()) {
      next->kind = Next::kEvent;
      for (const Active &active : queue)
        if (active.moment == queue.front().moment) next->events.push_back(active.event);
      return true;
    }
    running_priority_ = 0;
    phase_ = kTurn;
    return flags_ & EVLOOP_ONCE && !NumActive() && End(next, 0);
  }

  // Waits, and activates what is ready and due. False when nothing would ever end the wait.
  bool Collect() {
    cached_ns_ = 0;
    int64_t deadline = now_ns;
    if (!(flags_ & EVLOOP_NONBLOCK) && !NumActive() && !NumIdle()) {
      deadline = kNever;
      for (const PlainEvent &event : events) deadline = std::min(deadline, event.deadline_ns);
      deadline = std::max(deadline, now_ns);
    }
    timeouts_usec.push_back(deadline == kNever ? -1 : (deadline - now_ns) / 1000);
    if (!WaitUntil(deadline)) return false;
    if (caches_time) cached_ns_ = now_ns;
    ActivateDue();
    return true;
  }
  bool WaitUntil(int64_t deadline) {
    for (;;) {
      for (; !script_.empty() && script_.front().when_ns <= now_ns; script_.erase(script_.begin()))
        DoStep(script_.front());
      if (ActivateReady() || (now_ns >= deadline && deadline != kNever)) return true;
      const int64_t next = script_.empty() ? deadline : std::min(deadline, script_.front().when_ns);
      if (next == kNever) return false;
      now_ns = next;
    }
  }
  void DoStep(const PlainStep &step) {
    if (step.is_raise)
      Raise(step.fd, step.what);
    else
      Lower(step.fd, step.what);
  }
  bool ActivateReady() {
    num_moments_++;
    bool any = false;
    for (int fd = 0; fd < kNumFds; fd++) {
      PlainFd &state = fds[fd];
      const short what = state.mask & EV_ET ? state.edges : state.ready & state.mask & kIo;
      state.edges = 0;
      any |= what != 0;
      for (int i = 0; i < kNumEvents; i++) {
        const PlainEvent &event = events[i];
        if (event.fd != fd || !event.is_inserted || !(event.events & what)) continue;
        ActivateNow(i, (event.events & what) | (event.events & EV_ET));
      }
    }
    return any;
  }
  // By deadline; events of one deadline have no order, and a queue of a common timeout moves as
  // one.
  void ActivateDue() {
    std::vector<int> due;
    bool any_common = false;
    for (int i = 0; i < kNumEvents; i++) {
      if (events[i].deadline_ns > now_ns) continue;
      due.push_back(i);
      any_common |= events[i].is_common;
    }
    std::sort(due.begin(), due.end(),
              [&](int a, int b) { return events[a].deadline_ns < events[b].deadline_ns; });
    int64_t last_ns = -1;
    num_moments_++;
    for (int i : due) {
      if (events[i].deadline_ns != last_ns && !any_common) num_moments_++;
      last_ns = events[i].deadline_ns;
      TimeOut(i);
    }
  }
  void TimeOut(int i) {
    PlainEvent &event = events[i];
    int64_t from = event.deadline_ns;
    event.deadline_ns = kNever;
    if (event.events & EV_PERSIST && event.interval_ns) {
      if (from + event.interval_ns <= now_ns) from = now_ns;
      event.deadline_ns = from + event.interval_ns;
      event.is_common = event.is_interval_common;
    }
    ActivateNow(i, EV_TIMEOUT);
  }

  std::vector<Active> queues_[kNumPriorities];
  std::vector<PlainStep> script_;  // By time.
  std::vector<int> round_;         // Numbers of idle watchers that are to run in this turn.
  long num_moments_ = 0;
  int num_idles_made_ = 0;
  int64_t cached_ns_ = 0;
  int flags_ = 0;
  Phase phase_ = kTurn;
  int running_priority_ = 0;
  int num_run_ = 0, num_run_of_queue_ = 0;
};

}  // namespace loop_model

#endif  // STRATA_LOOP_PLAIN_LOOP_TESTING_H_

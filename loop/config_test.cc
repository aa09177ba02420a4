// Choosing and tuning a base: methods, features, flags, environment, dispatch limits.
#include <stdlib.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <string>
#include <vector>

#include "loop/test_support.h"

namespace {

struct ConfigFree {
  void operator()(struct event_config *config) const { event_config_free(config); }
};
typedef std::unique_ptr<struct event_config, ConfigFree> Config;

std::vector<std::string> Methods() {
  std::vector<std::string> methods;
  const char **names = event_get_supported_methods();
  EXPECT_NE(nullptr, names);
  for (; names != nullptr && *names != nullptr; names++) methods.push_back(*names);
  return methods;
}

// The method that the configuration ends up with; empty when there is none.
std::string MethodWith(const struct event_config *config) {
  struct event_base *base = event_base_new_with_config(config);
  if (base == nullptr) return std::string();
  const std::string method = event_base_get_method(base);
  event_base_free(base);
  return method;
}

// Sets an environment variable for the lifetime of the object.
class Variable {
 public:
  Variable(const std::string &name, const char *value) : name_(name) {
    setenv(name.c_str(), value, 1);
  }
  ~Variable() { unsetenv(name_.c_str()); }

 private:
  std::string name_;
};

TEST(ConfigMethods, DefaultIsTheFirstSupported) {
  const std::vector<std::string> methods = Methods();
  ASSERT_FALSE(methods.empty());
  Loop loop;
  EXPECT_EQ(methods[0], event_base_get_method(loop));
  EXPECT_EQ(methods[0], MethodWith(nullptr));
  Config config(event_config_new());
  EXPECT_EQ(methods[0], MethodWith(config.get()));
#ifdef __linux__
  // The latter emulated: --config=kqueue.
  EXPECT_TRUE(methods[0] == "epoll" || methods[0] == "kqueue") << methods[0];
#endif
}

TEST(ConfigMethods, AvoidedOnesAreSkipped) {
  QuietLog quiet;
  const std::vector<std::string> methods = Methods();
  Config config(event_config_new());
  for (size_t i = 0; i < methods.size(); i++) {
    const std::string method = MethodWith(config.get());
    // Not every kernel has it for every program.
    if (methods[i] != "io_uring" || !method.empty()) {
      EXPECT_EQ(methods[i], method);
    }
    EXPECT_EQ(0, event_config_avoid_method(config.get(), methods[i].c_str()));
  }
  EXPECT_EQ("", MethodWith(config.get()));  // Nothing is left.
}

TEST(ConfigMethods, AvoidingAnUnknownMethodIsHarmless) {
  Config config(event_config_new());
  EXPECT_EQ(0, event_config_avoid_method(config.get(), "no-such-method"));
  EXPECT_EQ(Methods()[0], MethodWith(config.get()));
}

TEST(ConfigMethods, EnvironmentTurnsMethodsOff) {
  QuietLog quiet;
  const std::vector<std::string> methods = Methods();
  std::string name = "EVENT_NO";
  for (char c : methods[0]) name += static_cast<char>(toupper(c));
  Variable variable(name, "1");
  const std::string expected = methods.size() > 1 ? methods[1] : std::string();
  EXPECT_EQ(expected, MethodWith(nullptr));
  Config config(event_config_new());
  EXPECT_EQ(expected, MethodWith(config.get()));
  EXPECT_EQ(0, event_config_set_flag(config.get(), EVENT_BASE_FLAG_IGNORE_ENV));
  EXPECT_EQ(methods[0], MethodWith(config.get()));
}

#ifdef __linux__
TEST(ConfigMethods, EpollFeatures) {
  Loop loop;
  if (std::string(event_base_get_method(loop)) != "epoll") GTEST_SKIP();
  EXPECT_EQ(EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_EARLY_CLOSE, event_base_get_features(loop));
}

TEST(ConfigMethods, EpollChangelistFlagAndVariable) {
  const std::string plain = MethodWith(nullptr);
  if (plain != "epoll" && plain != "kqueue") GTEST_SKIP() << "it collects no changes";
  const std::string expected = plain + " (with changelist)";
  Config config(event_config_new());
  event_config_set_flag(config.get(), EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  EXPECT_EQ(expected, MethodWith(config.get()));
  Variable variable("EVENT_EPOLL_USE_CHANGELIST", "1");
  EXPECT_EQ(expected, MethodWith(nullptr));
  Config ignoring(event_config_new());
  event_config_set_flag(ignoring.get(), EVENT_BASE_FLAG_IGNORE_ENV);
  EXPECT_EQ(plain, MethodWith(ignoring.get()));
}
#endif

TEST(ConfigFeatures, RequiredOnesAreThereOrThereIsNoBase) {
  QuietLog quiet;
  for (int features = 0; features < 16; features++) {
    Config config(event_config_new());
    EXPECT_EQ(0, event_config_require_features(config.get(), features));
    struct event_base *base = event_base_new_with_config(config.get());
    if (base == nullptr) continue;
    EXPECT_EQ(features, event_base_get_features(base) & features);
    event_base_free(base);
  }
}

TEST(ConfigFeatures, TheLastRequirementCounts) {
  QuietLog quiet;
  Config config(event_config_new());
  event_config_require_features(config.get(), EV_FEATURE_FDS | EV_FEATURE_ET | EV_FEATURE_O1);
  event_config_require_features(config.get(), 0);
  EXPECT_EQ(Methods()[0], MethodWith(config.get()));
}

TEST(ConfigFlags, AllOfThemMakeAWorkingBase) {
  const int flags[] = {EVENT_BASE_FLAG_NOLOCK,
                       EVENT_BASE_FLAG_IGNORE_ENV,
                       EVENT_BASE_FLAG_STARTUP_IOCP,
                       EVENT_BASE_FLAG_NO_CACHE_TIME,
                       EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST,
                       EVENT_BASE_FLAG_PRECISE_TIMER};
  int all = 0;
  for (int flag : flags) {
    all |= flag;
    for (int choice : {flag, all}) {
      Config config(event_config_new());
      EXPECT_EQ(0, event_config_set_flag(config.get(), choice));
      EXPECT_EQ(0, event_config_set_num_cpus_hint(config.get(), 2));
      Loop loop(event_base_new_with_config(config.get()));
      ASSERT_NE(nullptr, static_cast<struct event_base *>(loop));
      Pair pair;
      Ev timer(loop, -1, 0, [&](int, short) { pair.Send(1, "x"); });
      Ev read(loop, pair[0], EV_READ);
      timer.AddMs(2);
      read.Add();
      EXPECT_EQ(1, loop.Dispatch());
      EXPECT_EQ(1, timer.calls);
      EXPECT_EQ(1, read.calls);
    }
  }
}

TEST(ConfigFlags, PreciseTimerIsNeverEarly) {
  Variable variable("EVENT_PRECISE_TIMER", "1");
  for (int by_environment = 0; by_environment < 2; by_environment++) {
    Config config(event_config_new());
    if (!by_environment) event_config_set_flag(config.get(), EVENT_BASE_FLAG_PRECISE_TIMER);
    Loop loop(event_base_new_with_config(config.get()));
    Ev ev(loop, -1, 0);
    struct timeval start, end;
    event_gettime_monotonic(loop, &start);
    const struct timeval tv = {0, 7300};
    event_add(ev.get(), &tv);
    loop.Dispatch();
    event_gettime_monotonic(loop, &end);
    EXPECT_GE(Usec(end) - Usec(start), 7300);
  }
}

// Ten relaxed callbacks are ready; the first makes an urgent descriptor readable. Returns what ran,
// in order.
std::string RunWithLimits(const struct event_config *config, long spin_ms) {
  Loop loop(event_base_new_with_config(config));
  event_base_priority_init(loop, 3);
  Pair pair;
  std::string order;
  Ev urgent(loop, pair[0], EV_READ, [&](int, short) { order += 'u'; });
  event_priority_set(urgent.get(), 0);
  urgent.Add();
  std::vector<std::unique_ptr<Ev>> relaxed;
  for (int i = 0; i < 10; i++) {
    relaxed.emplace_back(new Ev(loop, -1, 0, [&, i](int, short) {
      order += static_cast<char>('0' + i);
      if (i == 0) pair.Send(1, "x");
      SpinUntil(WallUsec() + spin_ms * 1000);
    }));
    event_priority_set(relaxed.back()->get(), 1);
    relaxed.back()->Active(EV_READ);
  }
  EXPECT_EQ(1, loop.Dispatch());
  return order;
}

TEST(ConfigDispatch, NoLimitByDefault) {
  EXPECT_EQ("0123456789u", RunWithLimits(nullptr, 0));
}

TEST(ConfigDispatch, NumberOfCallbacks) {
  Config config(event_config_new());
  EXPECT_EQ(0, event_config_set_max_dispatch_interval(config.get(), nullptr, 3, 0));
  EXPECT_EQ("012u3456789", RunWithLimits(config.get(), 0));
}

TEST(ConfigDispatch, Interval) {
  Config config(event_config_new());
  const struct timeval interval = Ms(20);
  EXPECT_EQ(0, event_config_set_max_dispatch_interval(config.get(), &interval, -1, 0));
  const std::string order = RunWithLimits(config.get(), 15);
  EXPECT_EQ(11u, order.size());
  EXPECT_LT(order.find('u'), 6u) << order;
}

TEST(ConfigDispatch, UrgentPrioritiesAreExempt) {
  Config config(event_config_new());
  EXPECT_EQ(0, event_config_set_max_dispatch_interval(config.get(), nullptr, 3, 2));
  EXPECT_EQ("0123456789u", RunWithLimits(config.get(), 0));
  Config limited(event_config_new());
  EXPECT_EQ(0, event_config_set_max_dispatch_interval(limited.get(), nullptr, 3, 1));
  EXPECT_EQ("012u3456789", RunWithLimits(limited.get(), 0));
}

// --- What a base says of itself ---

std::string logged;

TEST(ConfigEnvironment, MethodIsShownOnRequest) {
  event_set_log_callback([](int, const char *message) { logged = message; });
  { Loop loop; }
  EXPECT_EQ("", logged);
  Variable show("EVENT_SHOW_METHOD", "1");
  Loop loop;
  event_set_log_callback(nullptr);
  EXPECT_NE(std::string::npos, logged.find(event_base_get_method(loop))) << logged;
}

#if !defined(STRATA_ORACLE)  // A function of 2.2.
TEST(ConfigMethods, SignalsHaveOne) {
  Loop loop;
  const bool is_kqueue = std::string(event_base_get_method(loop)) == "kqueue";
  EXPECT_STREQ(is_kqueue ? "kqueue_signal" : "signal", event_base_get_signal_method(loop));
}
#endif

TEST(ConfigPriorities, SameNumberAgainIsNoChange) {
  Loop loop;
  EXPECT_EQ(0, event_base_priority_init(loop, 3));
  EXPECT_EQ(0, event_base_priority_init(loop, 3));
  Ev ev(loop, -1, 0);
  ev.Active(EV_READ);
  // libevent looks at what is active first, though there is nothing to do.
  EXPECT_EQ(kOnLibevent ? -1 : 0, event_base_priority_init(loop, 3));
  EXPECT_EQ(-1, event_base_priority_init(loop, 4)) << "not while something is active";
  EXPECT_EQ(3, event_base_get_npriorities(loop));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
}

// An event that is active and was never added belongs to the base in no other way.
TEST(ConfigBase, ActiveEventIsLetGo) {
  struct event ev;
  {
    Loop loop;
    event_assign(
        &ev, loop, -1, 0, [](evutil_socket_t, short, void *) { ADD_FAILURE(); }, nullptr);
    event_active(&ev, EV_READ, 1);
    EXPECT_EQ(EV_READ, event_pending(&ev, EV_READ, nullptr));
  }
  EXPECT_EQ(EVLIST_INIT, ev.ev_evcallback.evcb_flags);
}

TEST(ConfigDebugDeathTest, DebugModeComesBeforeTheFirstBase) {
  Loop loop;
  EXPECT_EXIT(
      {
        event_set_fatal_callback([](int error) { exit(40 + error); });
        event_enable_debug_mode();
      },
      testing::ExitedWithCode(41), "event_enable_debug_mode");
}

}  // namespace

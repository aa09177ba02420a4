// Walking over the events of a base, and the dump for humans.
#include <signal.h>

#include <map>
#include <string>

#include "loop/test_support.h"

namespace {

typedef std::map<const struct event *, int> Seen;

int Note(const struct event_base *, const struct event *ev, void *arg) {
  ++(*static_cast<Seen *>(arg))[ev];
  return 0;
}

TEST(ForEach, VisitsEveryAddedOrActiveEventOnce) {
  Loop loop;
  event_base_priority_init(loop, 3);
  Pair pair;
  Ev read(loop, pair[0], EV_READ);
  Ev read_and_timeout(loop, pair[0], EV_READ | EV_PERSIST);
  Ev write_and_active(loop, pair[0], EV_WRITE | EV_PERSIST);
  Ev timer(loop, -1, 0);
  Ev common(loop, -1, 0);
  Ev signal_ev(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  Ev active(loop, -1, 0);
  Ev timer_and_active(loop, -1, EV_PERSIST);
  Ev idle(loop, pair[1], EV_READ);
  Ev deleted(loop, pair[1], EV_READ);
  read.Add();
  read_and_timeout.AddMs(3600000);
  write_and_active.Add();
  write_and_active.Active(EV_WRITE);
  timer.AddMs(3600000);
  const struct timeval hour = Ms(3600000);
  event_add(common.get(), event_base_init_common_timeout(loop, &hour));
  signal_ev.Add();
  active.Active(EV_READ);
  timer_and_active.AddMs(3600000);
  event_priority_set(timer_and_active.get(), 2);
  timer_and_active.Active(EV_TIMEOUT);
  deleted.AddMs(10);
  deleted.Del();

  Seen seen;
  EXPECT_EQ(0, event_base_foreach_event(loop, Note, &seen));
  for (Ev *ev : {&read, &read_and_timeout, &write_and_active, &timer, &common, &signal_ev, &active,
                 &timer_and_active}) {
    EXPECT_EQ(1, seen[ev->get()]);
  }
  EXPECT_EQ(0, seen[idle.get()]);
  EXPECT_EQ(0, seen[deleted.get()]);
}

TEST(ForEach, StopsWhenTheCallbackSaysSo) {
  Loop loop;
  Ev a(loop, -1, 0);
  Ev b(loop, -1, 0);
  Ev c(loop, -1, 0);
  a.AddMs(3600000);
  b.AddMs(3600000);
  c.AddMs(3600000);
  int left = 2;
  EXPECT_EQ(42, event_base_foreach_event(
                    loop,
                    [](const struct event_base *, const struct event *, void *arg) {
                      int *left = static_cast<int *>(arg);
                      return --*left == 0 ? 42 : 0;
                    },
                    &left));
  EXPECT_EQ(0, left);
}

TEST(ForEach, AfterEverythingFired) {
  Loop loop;
  Ev a(loop, -1, 0);
  a.AddMs(1);
  loop.Dispatch();
  Seen seen;
  EXPECT_EQ(0, event_base_foreach_event(loop, Note, &seen));
  EXPECT_EQ(0u, seen.count(a.get()));
}

std::string DumpOf(struct event_base *base) {
  FILE *file = tmpfile();
  EXPECT_NE(nullptr, file);
  event_base_dump_events(base, file);
  rewind(file);
  std::string text(65536, '\0');
  text.resize(fread(&text[0], 1, text.size(), file));
  fclose(file);
  return text;
}

// The format is nobody's promise, but whoever debugs with it wants the event, its descriptor and
// its state.
TEST(Dump, NamesEventsAndDescriptors) {
  Loop loop;
  Pair pair;
  Ev read(loop, pair[0], EV_READ);
  Ev timer(loop, -1, 0);
  Ev active(loop, -1, 0);
  read.Add();
  timer.AddMs(3600000);
  active.Active(EV_READ);
  const std::string text = DumpOf(loop);
  for (Ev *ev : {&read, &timer, &active}) {
    char address[64];
    snprintf(address, sizeof(address), "%p", static_cast<void *>(ev->get()));
    EXPECT_NE(std::string::npos, text.find(address)) << text;
  }
  EXPECT_NE(std::string::npos, text.find(std::to_string(pair[0]))) << text;
  EXPECT_NE(std::string::npos, text.find("nserted")) << text;
  EXPECT_NE(std::string::npos, text.find("ctive")) << text;
}

TEST(Dump, EmptyBase) {
  Loop loop;
  DumpOf(loop);
}

}  // namespace

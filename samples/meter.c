#include "samples/meter.h"

#include <stdio.h>

#include "samples/clocks.h"

static const struct timeval kSecond = {1, 0};

char *meter_format(char out[16], double len) {
  static const char *const kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  int unit = 0;
  for (; len >= 999.5 && unit < 5; unit++) len /= 1000;
  int digits = unit == 0 || len >= 99.95 ? 0 : len >= 9.995 ? 1 : 2;
  snprintf(out, 16, "%.*f %s", digits, len, kUnits[unit]);
  return out;
}

static void print_flow(const struct meter_flow *flow, double len, double seconds) {
  char rate[16], total[16];
  if (flow->what == NULL) return;
  fprintf(stderr, ", %s %s/s (%s in all)", flow->what,
          meter_format(rate, seconds > 0 ? len / seconds : 0),
          meter_format(total, (double)flow->total_len));
}

static void on_tick(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  struct meter *meter = arg;
  int64_t now = clocks_now_ns();
  bool has_news = meter->num_connections > 0;
  for (int i = 0; i < 2; i++) has_news |= meter->flows[i].total_len != meter->flows[i].told_len;
  if (has_news) {
    fprintf(stderr, "%s: %.0f s", meter->program, 1e-9 * (double)(now - meter->start_ns));
    if (meter->has_connections) fprintf(stderr, ", %u connections", meter->num_connections);
    for (int i = 0; i < 2; i++)
      print_flow(&meter->flows[i], (double)(meter->flows[i].total_len - meter->flows[i].told_len),
                 1e-9 * (double)(now - meter->told_ns));
    fputc('\n', stderr);
  }
  for (int i = 0; i < 2; i++) meter->flows[i].told_len = meter->flows[i].total_len;
  meter->told_ns = now;
}

int meter_start(struct meter *meter, struct event_base *base) {
  meter->start_ns = meter->told_ns = clocks_now_ns();
  if (meter->is_quiet) return 0;
  meter->tick = event_new(base, -1, EV_PERSIST, on_tick, meter);
  return meter->tick == NULL ? -1 : event_add(meter->tick, &kSecond);
}

void meter_stop(struct meter *meter) {
  if (meter->tick == NULL) return;
  double seconds = 1e-9 * (double)(clocks_now_ns() - meter->start_ns);
  double cpu = clocks_cpu_seconds();
  event_free(meter->tick);
  meter->tick = NULL;
  fprintf(stderr, "%s: ended after %.3f s", meter->program, seconds);
  double len = 0;
  for (int i = 0; i < 2; i++) {
    print_flow(&meter->flows[i], (double)meter->flows[i].total_len, seconds);
    len += (double)meter->flows[i].total_len;
  }
  fprintf(stderr, ", CPU %.3f s", cpu);
  if (len >= 1e6) fprintf(stderr, ", %.3f ns/B", 1e9 * cpu / len);
  fputc('\n', stderr);
}

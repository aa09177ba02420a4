#include "util/testing/fault_plan.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plan {
  unsigned kinds, calls; /* bits */
  uint64_t seed;
  unsigned long rate, skip, count;
};

#define DEFAULT_RATE 20

static struct plan plan;
static atomic_ulong num_draws, num_left, num_injected[STRATA_NUM_FAULTS];

static const char *const kind_names[] = {"eintr",  "eagain",  "short", "reset",  "enobufs",
                                         "emfile", "aborted", "ebusy", "enomem", "enosys",
                                         "eperm",  "einval",  NULL};
static const char *const call_names[] = {"read", "write", "accept", "connect",
                                         "open", "wait",  NULL};

/* ---- reading a plan ---- */

static int index_of(const char *const names[], const char *word, size_t len) {
  for (int i = 0; names[i]; i++)
    if (strlen(names[i]) == len && memcmp(names[i], word, len) == 0) return i;
  return -1;
}

/* Comma-separated words as bits; 0 if one is unknown. */
static unsigned bits_of(const char *const names[], const char *text, size_t len) {
  unsigned bits = 0;
  while (len > 0) {
    const char *comma = memchr(text, ',', len);
    size_t word_len = comma ? (size_t)(comma - text) : len;
    int index = index_of(names, text, word_len);
    if (index < 0) return 0;
    bits |= 1u << index;
    word_len += comma != NULL;
    text += word_len;
    len -= word_len;
  }
  return bits;
}

static int read_number(const char *text, const char *end, unsigned long *out_number) {
  char *stop;
  *out_number = strtoul(text, &stop, 10);
  return stop == end && stop != text ? 0 : -1;
}

static int read_option(const char *text, const char *end, struct plan *out_plan) {
  const char *value = memchr(text, '=', (size_t)(end - text));
  if (!value) return -1;
  size_t name_len = (size_t)(value++ - text);
  unsigned long number;
  if (name_len == 2 && memcmp(text, "on", 2) == 0) {
    out_plan->calls = bits_of(call_names, value, (size_t)(end - value));
    return out_plan->calls ? 0 : -1;
  }
  static const char *const names[] = {"seed", "rate", "skip", "count", NULL};
  int index = index_of(names, text, name_len);
  if (index < 0 || read_number(value, end, &number) < 0) return -1;
  if (index == 0) out_plan->seed = number;
  if (index == 1) out_plan->rate = number;
  if (index == 2) out_plan->skip = number;
  if (index == 3) out_plan->count = number;
  return 0;
}

static int read_plan(const char *text, struct plan *out_plan) {
  struct plan result = {0, ~0u, 1, DEFAULT_RATE, 0, ULONG_MAX};
  size_t len = strcspn(text, ":");
  result.kinds = bits_of(kind_names, text, len);
  if (!result.kinds) return -1;
  for (text += len; *text; text += len) {
    len = strcspn(++text, ":");
    if (read_option(text, text + len, &result) < 0) return -1;
  }
  if (result.rate > 100 || (result.rate == 100 && result.count == ULONG_MAX)) return -1;
  *out_plan = result;
  return 0;
}

int strata_faults_set(const char *text) {
  memset(&plan, 0, sizeof(plan));
  int result = text ? read_plan(text, &plan) : 0;
  atomic_store(&num_draws, 0);
  atomic_store(&num_left, plan.count);
  for (int i = 0; i < STRATA_NUM_FAULTS; i++) atomic_store(&num_injected[i], 0);
  return result;
}

__attribute__((constructor)) static void take_environment(void) {
  const char *text = getenv("STRATA_FAULTS");
  if (strata_faults_set(text) == 0) return;
  fprintf(stderr, "STRATA_FAULTS: cannot read \"%s\"\n", text);
  abort();
}

/* ---- drawing ---- */

/* Of the n-th draw, whatever came before it: threads need no lock for it. splitmix64. */
static uint64_t random_of(uint64_t n) {
  uint64_t bits = plan.seed * 0xd1342543de82ef95u + (n + 1) * 0x9e3779b97f4a7c15u;
  bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9u;
  bits = (bits ^ bits >> 27) * 0x94d049bb133111ebu;
  return bits ^ bits >> 31;
}

static int take_one_left(void) {
  unsigned long left = atomic_load(&num_left);
  while (left > 0)
    if (atomic_compare_exchange_weak(&num_left, &left, left - 1)) return 1;
  return 0;
}

static enum strata_fault pick(unsigned kinds, uint64_t bits) {
  unsigned nth = (unsigned)(bits % (unsigned)__builtin_popcount(kinds));
  for (int kind = 0;; kind++)
    if (kinds & STRATA_FAULT_BIT(kind) && nth-- == 0) return (enum strata_fault)kind;
}

int strata_fault_is_planned(enum strata_faulted_call call) {
  return plan.kinds && plan.calls & 1u << call;
}

enum strata_fault strata_fault_draw(enum strata_faulted_call call, unsigned legal) {
  unsigned kinds = plan.kinds & legal;
  if (!kinds || !strata_fault_is_planned(call)) return STRATA_NO_FAULT;
  unsigned long n = atomic_fetch_add(&num_draws, 1);
  uint64_t bits = random_of(n);
  if (n < plan.skip || bits % 100 >= plan.rate || !take_one_left()) return STRATA_NO_FAULT;
  enum strata_fault kind = pick(kinds, bits >> 32);
  atomic_fetch_add(&num_injected[kind], 1);
  return kind;
}

unsigned long strata_faults_num(enum strata_fault kind) {
  return atomic_load(&num_injected[kind]);
}

unsigned long strata_faults_total(void) {
  unsigned long total = 0;
  for (int i = 0; i < STRATA_NUM_FAULTS; i++) total += atomic_load(&num_injected[i]);
  return total;
}

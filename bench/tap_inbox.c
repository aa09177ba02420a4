#define _GNU_SOURCE 1
#include "bench/tap_inbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/tap.h"

enum { kNumNotes = 1 << 14 };

/* Two words that the program writes, the second one, which is not 0, last; we make that 0 again. */
struct note {
  uint64_t address_and_sequence;
  /* Port, length, offset of the data in 16 units of 4 bytes, flags: 16, 16, 8, 8. */
  _Alignas(8) uint64_t rest;
};

struct tap_notes {
  uint64_t num_written;
  uint8_t unused[56]; /* a cache line is the program's alone */
  struct note all[kNumNotes];
};

/* --- The program --- */

struct program {
  struct bpf_insn code[64];
  int num;
};

static void emit(struct program *program, int code, int target, int source, int offset, int value) {
  program->code[program->num++] = (struct bpf_insn){(uint8_t)code, (uint8_t)(target & 15),
                                                    (uint8_t)(source & 15), (int16_t)offset, value};
}

/* r0 = what is there in the frame, in the host's order. */
static void emit_load(struct program *program, int size, size_t offset) {
  emit(program, BPF_LD | BPF_ABS | size, 0, 0, 0, (int)offset);
}

static void emit_move(struct program *program, int target, int source) {
  emit(program, BPF_ALU64 | BPF_MOV | BPF_X, target, source, 0, 0);
}

/* target = target << bits | r0 */
static void emit_append(struct program *program, int target, int bits) {
  emit(program, BPF_ALU64 | BPF_LSH | BPF_K, target, 0, 0, bits);
  emit(program, BPF_ALU64 | BPF_OR | BPF_X, target, BPF_REG_0, 0, 0);
}

static void emit_return(struct program *program, int value) {
  emit(program, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value);
  emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* What r0 must be, or else the packet is let through. */
static void emit_require(struct program *program, int value) {
  emit(program, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, value);
  emit_return(program, INT32_MAX);
}

static void emit_gather(struct program *program) {
  size_t ip = sizeof(struct ethhdr), tcp = ip + sizeof(struct iphdr);
  emit_load(program, BPF_W, ip + offsetof(struct iphdr, daddr));
  emit_move(program, BPF_REG_7, BPF_REG_0);
  emit_load(program, BPF_W, tcp + offsetof(struct tcphdr, th_seq));
  emit_append(program, BPF_REG_7, 32);
  emit_load(program, BPF_H, tcp + offsetof(struct tcphdr, th_dport));
  emit_move(program, BPF_REG_8, BPF_REG_0);
  emit_load(program, BPF_H, ip + offsetof(struct iphdr, tot_len));
  emit_append(program, BPF_REG_8, 16);
  emit_load(program, BPF_H, tcp + 12); /* offset of the data, flags */
  emit_append(program, BPF_REG_8, 16);
}

/* r1 = the next note; both cores may get here at a time. */
static void emit_claim(struct program *program, int map_fd) {
  emit(program, BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0, map_fd);
  emit(program, 0, 0, 0, 0, 0);
  emit(program, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1);
  emit(program, BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_1, BPF_REG_0,
       offsetof(struct tap_notes, num_written), BPF_ADD | BPF_FETCH);
  emit(program, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_0, 0, 0, kNumNotes - 1);
  emit(program, BPF_ALU64 | BPF_LSH | BPF_K, BPF_REG_0, 0, 0, 4);
  emit(program, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_1, BPF_REG_0, 0, 0);
}

static void emit_all(struct program *program, int map_fd) {
  int first_note = offsetof(struct tap_notes, all);
  emit_move(program, BPF_REG_6, BPF_REG_1); /* where loads find the frame */
  emit_load(program, BPF_H, offsetof(struct ethhdr, h_proto));
  emit_require(program, ETH_P_IP);
  emit_load(program, BPF_B, sizeof(struct ethhdr) + offsetof(struct iphdr, protocol));
  emit_require(program, IPPROTO_TCP);
  emit_gather(program);
  emit_claim(program, map_fd);
  emit(program, BPF_STX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_7,
       first_note + (int)offsetof(struct note, address_and_sequence), 0);
  emit(program, BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_1, BPF_REG_8,
       first_note + (int)offsetof(struct note, rest), BPF_XCHG);
  emit_return(program, 0); /* the frame goes no further */
}

static int bpf(int command, union bpf_attr *attributes) {
  return (int)syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

static int make_map(void) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof(attributes));
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = sizeof(uint32_t);
  attributes.value_size = sizeof(struct tap_notes);
  attributes.max_entries = 1;
  attributes.map_flags = BPF_F_MMAPABLE;
  return bpf(BPF_MAP_CREATE, &attributes);
}

static int load(const struct program *program) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof(attributes));
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insns = (uint64_t)(uintptr_t)program->code;
  attributes.insn_cnt = (uint32_t)program->num;
  attributes.license = (uint64_t)(uintptr_t) "BSD";
  return bpf(BPF_PROG_LOAD, &attributes);
}

static struct tap_notes *share(int map_fd) {
  void *notes = mmap(NULL, sizeof(struct tap_notes), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  return notes == MAP_FAILED ? NULL : notes;
}

void tap_inbox_open(struct tap_inbox *inbox, int tap_fd) {
  *inbox = (struct tap_inbox){.fd = tap_fd};
  int map_fd = make_map();
  if (map_fd < 0) return;
  struct program program = {.num = 0};
  emit_all(&program, map_fd);
  int program_fd = load(&program);
  struct tap_notes *notes = share(map_fd);
  if (program_fd >= 0 && notes != NULL && ioctl(tap_fd, TUNSETFILTEREBPF, &program_fd) == 0) {
    inbox->notes = notes;
  } else if (notes != NULL) {
    munmap(notes, sizeof(*notes));
  }
  /* The device keeps what it needs. */
  if (program_fd >= 0) close(program_fd);
  close(map_fd);
}

void tap_inbox_close(struct tap_inbox *inbox) {
  if (inbox->notes != NULL) munmap(inbox->notes, sizeof(*inbox->notes));
  close(inbox->fd);
}

/* --- Segments --- */

static bool take_note(struct tap_inbox *inbox, struct tap_segment *out_segment) {
  struct note *note = &inbox->notes->all[inbox->num_taken % kNumNotes];
  uint64_t rest = __atomic_load_n(&note->rest, __ATOMIC_ACQUIRE);
  if (rest == 0) return false;
  inbox->num_taken++;
  out_segment->address = (uint32_t)(note->address_and_sequence >> 32);
  out_segment->sequence = (uint32_t)note->address_and_sequence;
  out_segment->port = (uint16_t)(rest >> 32);
  out_segment->flags = (uint8_t)rest;
  uint32_t head_len = (uint32_t)sizeof(struct iphdr) + (uint32_t)(rest >> 12 & 15) * 4;
  out_segment->payload_len = (uint32_t)(rest >> 16 & 0xffff) - head_len;
  __atomic_store_n(&note->rest, 0, __ATOMIC_RELEASE);
  return true;
}

static bool parse(const struct tap_frame *frame, size_t len, struct tap_segment *out_segment) {
  size_t head_len = sizeof(frame->ip) + sizeof(frame->tcp);
  if (len < offsetof(struct tap_frame, ip) + head_len) return false;
  if (frame->ethernet.h_proto != htons(ETH_P_IP)) return false;
  if (frame->ip.protocol != IPPROTO_TCP) return false;
  out_segment->address = ntohl(frame->ip.daddr);
  out_segment->sequence = ntohl(frame->tcp.th_seq);
  out_segment->port = ntohs(frame->tcp.th_dport);
  out_segment->flags = frame->tcp.th_flags;
  head_len = sizeof(frame->ip) + frame->tcp.th_off * 4u;
  out_segment->payload_len = (uint32_t)(ntohs(frame->ip.tot_len) - head_len);
  return true;
}

static bool take_frame(struct tap_inbox *inbox, struct tap_segment *out_segment) {
  struct tap_frame frame;
  ssize_t len;
  while ((len = read(inbox->fd, &frame, sizeof(frame))) >= 0) {
    if (parse(&frame, (size_t)len, out_segment)) return true;
  }
  if (errno == EAGAIN) return false;
  perror("net_load: tap");
  exit(1);
}

bool tap_inbox_take(struct tap_inbox *inbox, struct tap_segment *out_segment) {
  return inbox->notes != NULL ? take_note(inbox, out_segment) : take_frame(inbox, out_segment);
}

#ifndef STRATA_BENCH_COUNTED_MEMORY_H_
#define STRATA_BENCH_COUNTED_MEMORY_H_

#include <event2/event.h>
#include <malloc.h>

#include <cstdint>
#include <cstdlib>

// The library's memory, counted while someone wants to know. In one source of a program: the hooks
// must be there before anything is allocated.

struct CountedMemory {
  bool is_counting = false;
  int64_t num_blocks = 0;  // still allocated
  int64_t heap_bytes = 0;  // of them, as rounded up by the allocator
};

inline CountedMemory counted_memory;

namespace counted_memory_hooks {

inline void *Count(void *block) {
  if (counted_memory.is_counting && block != nullptr) {
    counted_memory.num_blocks++;
    counted_memory.heap_bytes += static_cast<int64_t>(malloc_usable_size(block));
  }
  return block;
}
inline void Uncount(void *block) {
  if (!counted_memory.is_counting || block == nullptr) return;
  counted_memory.num_blocks--;
  counted_memory.heap_bytes -= static_cast<int64_t>(malloc_usable_size(block));
}
inline void *Malloc(size_t len) {
  return Count(std::malloc(len));
}
inline void *Realloc(void *block, size_t len) {
  Uncount(block);
  return Count(std::realloc(block, len));
}
inline void Free(void *block) {
  Uncount(block);
  std::free(block);
}

inline const bool are_set = (event_set_mem_functions(Malloc, Realloc, Free), true);

}  // namespace counted_memory_hooks

#endif

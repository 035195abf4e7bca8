#pragma once
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// How many threads a computation should use when nobody says.
namespace ait {
namespace {

inline bool read_line(const char* path, char* text, int size) {
  FILE* file = fopen(path, "re");
  if (file == nullptr) return false;
  const bool read = fgets(text, size, file) != nullptr;
  fclose(file);
  return read;
}

#if defined(__linux__)
/// Physical cores among the processors this process may run on; threads of one core share its arithmetic.
inline int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  int cores = 0;
  int last_seen[CPU_SETSIZE] = {};
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &set)) continue;
    char path[96], line[64];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    const int first = read_line(path, line, sizeof line) ? atoi(line) : cpu;
    if (first < 0 || first >= CPU_SETSIZE || last_seen[first]++ == 0) cores++;
  }
  return cores;
}

/// Whole processors of the control group's quota, at least 1; `limit` where there is no quota.
inline int within_quota(int limit) {
  char line[64];
  if (!read_line("/sys/fs/cgroup/cpu.max", line, sizeof line)) return limit;
  long long quota = 0, period = 0;
  if (sscanf(line, "%lld %lld", &quota, &period) != 2 || period <= 0) return limit;
  const long long whole = quota / period;
  return whole < 1 ? 1 : whole < limit ? static_cast<int>(whole) : limit;
}
#else
inline int usable_cores() { return static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)); }
inline int within_quota(int limit) { return limit; }
#endif

/// AIT_THREADS, else the physical cores this process may use.
inline int default_threads() {
  const char* text = getenv("AIT_THREADS");
  const int wanted = text == nullptr ? 0 : atoi(text);
  if (wanted > 0) return wanted;
  const int cores = within_quota(usable_cores());
  return cores < 1 ? 1 : cores;
}

}  // namespace
}  // namespace ait

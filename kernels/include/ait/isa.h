#pragma once
#include <cstddef>
#include <cstring>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

// Whether this processor (and its operating system) runs code compiled for an instruction set.
namespace ait {
namespace {

struct Feature {
  const char* name;
  bool present;
};

inline bool same_word(const char* word, size_t length, const char* name) {
  return std::strlen(name) == length && std::strncmp(word, name, length) == 0;
}

#if defined(__x86_64__)
#define AIT_CPU(name) (__builtin_cpu_supports(name) != 0)
inline bool has_feature(const char* word, size_t length) {
  __builtin_cpu_init();
  const bool v2 = AIT_CPU("ssse3") && AIT_CPU("sse4.1") && AIT_CPU("sse4.2") && AIT_CPU("popcnt");
  const bool v3 = v2 && AIT_CPU("avx2") && AIT_CPU("bmi") && AIT_CPU("bmi2") && AIT_CPU("fma");
  const bool v4 = v3 && AIT_CPU("avx512f") && AIT_CPU("avx512bw") && AIT_CPU("avx512cd") &&
                  AIT_CPU("avx512dq") && AIT_CPU("avx512vl");
  const Feature features[] = {{"generic", true},
                              {"x86-64", true},
                              {"x86-64-v2", v2},
                              {"x86-64-v3", v3},
                              {"x86-64-v4", v4},
                              {"avx", AIT_CPU("avx")},
                              {"avx2", AIT_CPU("avx2")},
                              {"fma", AIT_CPU("fma")},
                              {"avx512f", AIT_CPU("avx512f")},
                              {"avx512bw", AIT_CPU("avx512bw")},
                              {"avx512dq", AIT_CPU("avx512dq")},
                              {"avx512vl", AIT_CPU("avx512vl")},
                              {"avx512vnni", AIT_CPU("avx512vnni")},
                              {"avx512vbmi", AIT_CPU("avx512vbmi")},
                              {"avx512vbmi2", AIT_CPU("avx512vbmi2")},
                              {"avx512bitalg", AIT_CPU("avx512bitalg")},
                              {"avx512ifma", AIT_CPU("avx512ifma")},
                              {"avx512vpopcntdq", AIT_CPU("avx512vpopcntdq")},
                              {"gfni", AIT_CPU("gfni")},
                              {"vpclmulqdq", AIT_CPU("vpclmulqdq")},
                              {"avx512bf16", AIT_CPU("avx512bf16")},
#if !defined(__clang__) && __GNUC__ >= 12
                              {"avxvnni", AIT_CPU("avxvnni")}
#endif
  };
#undef AIT_CPU
#elif defined(__aarch64__)
inline bool has_feature(const char* word, size_t length) {
#if defined(__linux__)
  const unsigned long cap = getauxval(AT_HWCAP), cap2 = getauxval(AT_HWCAP2);
#else
  const unsigned long cap = ~0ul, cap2 = ~0ul;
#endif
  const Feature features[] = {{"generic", true},
                              {"armv8-a", true},
                              {"fp16", (cap >> 10 & 1) != 0},
                              {"dotprod", (cap >> 20 & 1) != 0},
                              {"sve", (cap >> 22 & 1) != 0},
                              {"i8mm", (cap2 >> 13 & 1) != 0},
                              {"bf16", (cap2 >> 14 & 1) != 0}};
#else
inline bool has_feature(const char* word, size_t length) {
  const Feature features[] = {{"generic", true}};
#endif
  for (const Feature& feature : features) {
    if (same_word(word, length, feature.name)) return feature.present;
  }
  return false;
}

/// The first part of `isa` (words joined by '+') that the processor lacks, its length in `length`; null if
/// none.
inline const char* missing_feature(const char* isa, size_t* length) {
  for (const char* word = isa; *word != 0;) {
    const size_t n = std::strcspn(word, "+");
    if (!has_feature(word, n)) {
      *length = n;
      return word;
    }
    word += n + (word[n] == '+' ? 1 : 0);
  }
  return nullptr;
}

}  // namespace
}  // namespace ait

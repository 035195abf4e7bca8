// Compiles one source file for one NVIDIA GPU: nvrtc LIBRARY SOURCE CUBIN OPTION... The compiler is loaded at
// run time, in a process of its own, so that nothing of it can harm the conversion. Exit status 1 with the
// compiler's messages when the source is at fault, 2 when the library is.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using Program = struct ProgramData*;
constexpr int kOk = 0;

void* library = nullptr;

template <class F>
F* find(const char* name) {
  void* symbol = dlsym(library, name);
  if (symbol == nullptr) {
    std::fprintf(stderr, "error: the library has no %s\n", name);
    std::exit(2);
  }
  return reinterpret_cast<F*>(symbol);
}

/// The compiler's own headers lie in a second library beside it, which it looks for by name.
void load_builtins(const char* path) {
  std::string builtins(path);
  const size_t at = builtins.rfind("libnvrtc.so");
  int major = 0, minor = 0;
  if (at == std::string::npos || find<int(int*, int*)>("nvrtcVersion")(&major, &minor) != kOk) return;
  builtins.replace(at, std::string::npos,
                   "libnvrtc-builtins.so." + std::to_string(major) + "." + std::to_string(minor));
  dlopen(builtins.c_str(), RTLD_NOW | RTLD_GLOBAL);
}

bool read_file(const char* path, std::string& out) {
  FILE* file = std::fopen(path, "rb");
  if (file == nullptr) return false;
  char buffer[65536];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;) out.append(buffer, n);
  std::fclose(file);
  return true;
}

bool write_file(const char* path, const std::string& data) {
  FILE* file = std::fopen(path, "wb");
  if (file == nullptr) return false;
  const bool written = std::fwrite(data.data(), 1, data.size(), file) == data.size();
  return std::fclose(file) == 0 && written;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") != 0) {
    library = dlopen(argv[1], RTLD_NOW);
    int major = 0, minor = 0;
    if (library == nullptr || find<int(int*, int*)>("nvrtcVersion")(&major, &minor) != kOk) return 2;
    std::printf("%d.%d\n", major, minor);
    return 0;
  }
  if (argc < 4) {
    std::fprintf(stderr, "usage: nvrtc LIBRARY SOURCE CUBIN OPTION...\n");
    return 2;
  }
  library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    std::fprintf(stderr, "error: %s\n", dlerror());
    return 2;
  }
  load_builtins(argv[1]);
  std::string source;
  if (!read_file(argv[2], source)) {
    std::fprintf(stderr, "error: cannot read %s\n", argv[2]);
    return 2;
  }
  Program program = nullptr;
  find<int(Program*, const char*, const char*, int, const char* const*, const char* const*)>(
      "nvrtcCreateProgram")(&program, source.c_str(), "kernel.cu", 0, nullptr, nullptr);
  const int status =
      find<int(Program, int, const char* const*)>("nvrtcCompileProgram")(program, argc - 4, argv + 4);
  size_t length = 0;
  find<int(Program, size_t*)>("nvrtcGetProgramLogSize")(program, &length);
  std::string log(length, '\0');
  if (length > 0) find<int(Program, char*)>("nvrtcGetProgramLog")(program, &log[0]);
  if (length > 1) std::fputs(log.c_str(), stderr);
  if (status != kOk) return 1;
  size_t bytes = 0;
  find<int(Program, size_t*)>("nvrtcGetCUBINSize")(program, &bytes);
  std::string cubin(bytes, '\0');
  find<int(Program, char*)>("nvrtcGetCUBIN")(program, &cubin[0]);
  if (!write_file(argv[3], cubin)) {
    std::fprintf(stderr, "error: cannot write %s\n", argv[3]);
    return 2;
  }
  // Unloading the library would take longer than the kernel of the system needs to end the process.
  std::fflush(nullptr);
  _Exit(0);
}

#include "../ait/movement.h"

#include "../ait/pool.h"
#include "../ait/select.h"
#include "check.h"

using namespace ait;

static test::Random rng;

using Shape = std::vector<int64_t>;

static int64_t size_of(const Shape& s) { return product(s.data(), static_cast<int>(s.size())); }

/// Calls f(index, flat) for every index of a shape, by counting up.
template <class F>
static void each(const Shape& shape, F f) {
  const int64_t total = size_of(shape);
  for (int64_t flat = 0; flat < total; flat++) {
    Shape index(shape.size());
    int64_t rest = flat;
    for (size_t d = shape.size(); d-- > 0;) {
      index[d] = rest % shape[d];
      rest /= shape[d];
    }
    f(index, flat);
  }
}

template <class T>
static std::vector<T> numbers(int64_t n) {
  std::vector<T> v(static_cast<size_t>(n));
  for (auto& x : v) x = static_cast<T>(rng.bits());
  return v;
}

template <class T>
static void strided(Context& ctx, const Shape& extents, const Shape& strides, int64_t offset, int64_t room) {
  const auto src = numbers<T>(room);
  std::vector<T> dst(static_cast<size_t>(size_of(extents)));
  copy_strided(ctx, dst.data(), src.data() + offset, static_cast<int>(extents.size()), extents.data(),
               strides.data());
  bool same = true;
  each(extents, [&](const Shape& index, int64_t flat) {
    int64_t at = offset;
    for (size_t d = 0; d < index.size(); d++) at += index[d] * strides[d];
    same &= dst[static_cast<size_t>(flat)] == src[static_cast<size_t>(at)];
  });
  test::check(same, "copy_strided", static_cast<long long>(sizeof(T)));
}

template <class T>
static void all_strided(Context& ctx) {
  strided<T>(ctx, {37, 45}, {1, 37}, 0, 37 * 45);
  strided<T>(ctx, {3, 37, 5, 45}, {37 * 45 * 5, 1, 37 * 45, 37}, 0, 3 * 37 * 45 * 5);
  strided<T>(ctx, {640, 3}, {1, 640}, 0, 640 * 3);
  strided<T>(ctx, {3, 640}, {1, 3}, 0, 640 * 3);
  strided<T>(ctx, {7, 9}, {-20, 2}, 120, 140);
  strided<T>(ctx, {7, 9}, {20, -2}, 19, 140);
  strided<T>(ctx, {70000}, {-1}, 69999, 70000);
  strided<T>(ctx, {5, 4, 9}, {0, 1, 0}, 0, 4);
  strided<T>(ctx, {1}, {1}, 3, 4);
  strided<T>(ctx, {4, 0, 2}, {1, 1, 1}, 0, 4);
  strided<T>(ctx, {200, 1, 300}, {300, 7, 1}, 0, 60000);
}

/// The source position of numpy.pad, step by step: an edge sends a walker back, stops it, or wraps it.
static int64_t walked(int64_t i, int64_t n, PadMode mode) {
  while (i < 0 || i >= n) {
    if (mode == PadMode::Constant) return -1;
    if (mode == PadMode::Edge) i += i < 0 ? 1 : -1;
    if (mode == PadMode::Wrap) i += i < 0 ? n : -n;
    if (mode == PadMode::Reflect) i = n == 1 ? 0 : i < 0 ? -i : 2 * (n - 1) - i;
  }
  return i;
}

static void padded(Context& ctx, const Shape& in, const Shape& before, const Shape& after, PadMode mode) {
  const auto src = numbers<uint32_t>(size_of(in));
  Shape out;
  for (size_t d = 0; d < in.size(); d++) out.push_back(in[d] + before[d] + after[d]);
  std::vector<uint32_t> dst(static_cast<size_t>(size_of(out)));
  pad(ctx, dst.data(), src.data(), static_cast<int>(in.size()), in.data(), before.data(), after.data(), mode,
      uint32_t{7});
  bool same = true;
  each(out, [&](const Shape& index, int64_t flat) {
    int64_t at = 0;
    for (size_t d = 0; d < in.size() && at >= 0; d++) {
      const int64_t cut = before[d] < 0 ? -before[d] : 0, lead = before[d] < 0 ? 0 : before[d];
      const int64_t n = in[d] - cut - (after[d] < 0 ? -after[d] : 0);
      const int64_t i = walked(index[d] - lead, n, mode);
      at = i < 0 ? -1 : at * in[d] + i + cut;
    }
    same &= dst[static_cast<size_t>(flat)] == (at < 0 ? 7 : src[static_cast<size_t>(at)]);
  });
  test::check(same, "pad", static_cast<long long>(mode));
}

template <class C>
static void scattered(Context& ctx, float (*combine)(float, float), const char* what) {
  const Shape data = {6, 5, 40}, small = {4, 5, 33};
  const int64_t strides[] = {200, 40, 1};
  for (int axis = 0; axis < 3; axis++) {
    const auto src = rng.floats(size_of(data));
    const auto updates = rng.floats(size_of(small));
    std::vector<int64_t> indices(updates.size());
    for (auto& i : indices)
      i = rng.below(2 * data[static_cast<size_t>(axis)]) - data[static_cast<size_t>(axis)];
    auto want = src;
    each(small, [&](Shape index, int64_t flat) {
      const auto a = static_cast<size_t>(axis);
      const int64_t given = indices[static_cast<size_t>(flat)];
      index[a] = given < 0 ? given + data[a] : given;
      float& x = want[static_cast<size_t>((index[0] * 5 + index[1]) * 40 + index[2])];
      x = combine(x, updates[static_cast<size_t>(flat)]);
    });
    std::vector<float> got(src.size());
    scatter_elements<C>(ctx, got.data(), src.data(), indices.data(), updates.data(), size_of(data), 3,
                        small.data(), strides, axis, data[static_cast<size_t>(axis)]);
    test::check(got == want, what, axis);
  }
}

static void errors(Context& ctx) {
  const float x[4] = {1, 2, 3, 4};
  float y[4] = {9, 9, 9, 9};
  const int64_t bad[2] = {0, 4};
  gather(ctx, y, x, bad, 1, 4, 2, 1);
  test::check(ctx.error != nullptr && y[0] == 9, "an index outside fails and writes nothing");
  ctx.error = nullptr;
  const int64_t last[2] = {-4, 3};
  gather(ctx, y, x, last, 1, 4, 2, 1);
  test::check(ctx.error == nullptr && y[0] == 1 && y[1] == 4, "the outermost indices are inside");
}

int main() {
  for (const int threads : {1, 3}) {
    Context ctx;
    ctx.threads = threads;
    all_strided<uint8_t>(ctx);
    all_strided<uint16_t>(ctx);
    all_strided<uint32_t>(ctx);
    all_strided<uint64_t>(ctx);
    for (const PadMode mode : {PadMode::Constant, PadMode::Edge, PadMode::Reflect, PadMode::Wrap}) {
      padded(ctx, {4, 5, 6}, {1, 0, 2}, {0, 3, 9}, mode);
      padded(ctx, {4, 5, 6}, {-1, 2, -2}, {1, -3, 5}, mode);
      padded(ctx, {1, 1}, {2, 3}, {1, 0}, mode);
      padded(ctx, {300, 300}, {1, 1}, {1, 1}, mode);
    }
    scattered<Replace>(ctx, [](float, float b) { return b; }, "scatter");
    scattered<Combine<AddOf>>(ctx, [](float a, float b) { return a + b; }, "scatter, sums");
    scattered<Combine<MulOf>>(ctx, [](float a, float b) { return a * b; }, "scatter, products");
    scattered<Combine<MaxOf>>(ctx, [](float a, float b) { return a > b ? a : b; }, "scatter, maxima");
    errors(ctx);
    ctx.release_scratch();
  }
  return test::summary();
}

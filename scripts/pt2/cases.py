"""Which operators the sweep covers: the composite ones by name, and calls that operator samples do not contain."""

import torch

# Operators of the training dialect that exported networks contain, by their name in torch's operator tables.
COMPOSITE = """
nn.functional.linear nn.functional.bilinear nn.functional.conv1d nn.functional.conv2d nn.functional.conv3d
nn.functional.conv_transpose1d nn.functional.conv_transpose2d nn.functional.conv_transpose3d
nn.functional.layer_norm nn.functional.group_norm nn.functional.batch_norm nn.functional.instance_norm
nn.functional.rms_norm nn.functional.local_response_norm nn.functional.normalize
nn.functional.scaled_dot_product_attention nn.functional.multi_head_attention_forward
nn.functional.gelu nn.functional.silu nn.functional.mish nn.functional.hardswish nn.functional.hardsigmoid
nn.functional.hardtanh nn.functional.relu nn.functional.relu6 nn.functional.elu nn.functional.selu
nn.functional.celu nn.functional.leaky_relu nn.functional.prelu nn.functional.softplus nn.functional.softsign
nn.functional.tanhshrink nn.functional.softshrink nn.functional.hardshrink nn.functional.threshold
nn.functional.logsigmoid nn.functional.glu nn.functional.softmin softmax log_softmax sigmoid tanh
nn.functional.interpolate nn.functional.upsample_bilinear nn.functional.upsample_nearest nn.functional.pad
nn.functional.max_pool1d nn.functional.max_pool2d nn.functional.max_pool3d nn.functional.avg_pool1d
nn.functional.avg_pool2d nn.functional.avg_pool3d nn.functional.adaptive_avg_pool1d
nn.functional.adaptive_avg_pool2d nn.functional.adaptive_avg_pool3d nn.functional.adaptive_max_pool1d
nn.functional.adaptive_max_pool2d nn.functional.adaptive_max_pool3d nn.functional.max_unpool2d
nn.functional.pixel_shuffle nn.functional.pixel_unshuffle nn.functional.channel_shuffle nn.functional.unfold
nn.functional.embedding nn.functional.embedding_bag nn.functional.one_hot
nn.functional.cosine_similarity nn.functional.pairwise_distance nn.functional.grid_sample
nn.functional.mse_loss nn.functional.l1_loss nn.functional.cross_entropy nn.functional.nll_loss
einsum matmul bmm mm mv dot inner outer addmm addmv baddbmm addbmm kron tensordot linalg.multi_dot linalg.vecdot
chunk split split_with_sizes tensor_split unsafe_chunk stack hstack vstack dstack column_stack cat tile repeat
repeat_interleave roll flip fliplr flipud rot90 meshgrid narrow movedim  transpose t permute
unflatten flatten ravel squeeze unsqueeze reshape view reshape_as view_as expand expand_as broadcast_to
atleast_1d atleast_2d unbind select unfold contiguous clone as_strided
var var_mean std std_mean mean sum prod logsumexp norm linalg.vector_norm linalg.matrix_norm amax amin aminmax
max min argmax argmin all any count_nonzero cumsum cumprod cummax cummin logcumsumexp diff nansum nanmean median mode
where masked_fill masked_select masked_scatter index_select index_add index_copy index_fill index_put
take take_along_dim gather scatter scatter_add scatter_reduce select_scatter slice_scatter diagonal_scatter
searchsorted bucketize topk sort argsort msort unique tril triu diagonal diag diag_embed diagflat trace cross cdist lerp
addcmul addcdiv clamp clamp_min clamp_max xlogy logaddexp logaddexp2 heaviside sinc fmod remainder floor_divide true_divide
div maximum minimum fmax fmin pow float_power square sqrt rsqrt exp2 exp expm1 log1p log2 erf erfc lgamma digamma
isfinite isinf isnan isposinf isneginf isclose nan_to_num sign sgn signbit copysign deg2rad rad2deg round frac trunc
logit bitwise_left_shift bitwise_right_shift bitwise_and gcd lcm eq ne logical_and logical_not abs neg
positive rsub sub add mul to  bool float half int long bfloat16 double zeros_like ones_like full_like new_zeros new_ones
new_full new_empty arange linspace eye zeros ones full tril_indices triu_indices scalar_tensor nonzero argwhere
linalg.det linalg.inv linalg.solve linalg.cross histc bincount stft istft fft.rfft fft.fft
hsplit vsplit dsplit atleast_3d broadcast_tensors addr block_diag cartesian_prod vdot isin cumprod hypot linalg.norm
nn.functional.dropout
""".split()

# Functions whose tensors after the first are weights of a module: their extents are never symbols.
WEIGHTED = {
    "convolution.default",
    *(f"nn.functional.conv{t}{d}d" for t in ("", "_transpose") for d in (1, 2, 3)),
    *(f"nn.functional.{name}_norm" for name in ("batch", "instance", "group", "layer", "rms")),
    *("nn.functional.prelu", "nn.functional.bilinear", "nn.functional.multi_head_attention_forward"),
}


def modules():
    """Modules whose operators have no function in torch's tables, with what they are called with."""
    nn = torch.nn
    g = torch.Generator().manual_seed(7)
    f = lambda *s: torch.randn(*s, generator=g)
    for name in ("LSTM", "GRU", "RNN"):
        forms = (dict(), dict(num_layers=2, bidirectional=True), dict(batch_first=True), dict(bias=False))
        made = [(getattr(nn, name)(4, 5, **form).eval(), (f(6, 3, 4),)) for form in forms]
        yield f"nn.{name}", [*made, (made[0][0], (f(6, 4),))]
    yield "nn.RNN-relu", [(nn.RNN(4, 5, nonlinearity="relu").eval(), (f(6, 3, 4),))]
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    yield "nn.MultiheadAttention", [(attention, (f(2, 5, 8), f(2, 7, 8), f(2, 7, 8)))]
    yield (
        "nn.TransformerEncoderLayer",
        [(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=first).eval(), (f(2, 5, 8),)) for first in (0, 1)],
    )
    layer = nn.TransformerDecoderLayer(8, 2, 16, batch_first=True).eval()
    yield "nn.TransformerDecoderLayer", [(layer, (f(2, 5, 8), f(2, 7, 8)))]
    yield "nn.utils.weight_norm", [(nn.utils.parametrizations.weight_norm(nn.Linear(4, 6)), (f(3, 4),))]
    yield "swapaxes", [(torch.swapaxes, (f(2, 3, 4), 0, -1)), (torch.swapaxes, (f(2, 3, 4).half(), 1, 2))]
    yield "type_as", [(torch.Tensor.type_as, (f(3), f(2).to(t))) for t in (torch.int64, torch.half, torch.float32)]
    yield "nn.EmbeddingBag", [
        (nn.EmbeddingBag(10, 4, mode=mode).eval(), (torch.randint(0, 10, (3, 5), generator=g),)) for mode in ("sum", "mean", "max")
    ]
    yield "nn.Fold", [(nn.Fold((4, 5), (2, 3), padding=1), (f(2, 12, 25),)), (nn.Fold((4, 5), 2, stride=2), (f(2, 12, 4),))]
    yield "nn.Unfold", [
        (nn.Unfold((2, 3), padding=1), (f(2, 3, 4, 5),)),
        (nn.Unfold(2, stride=2, dilation=(1, 2)), (f(2, 3, 6, 7),)),
        (nn.Unfold(3), (f(2, 4, 5),)),
    ]

RANDOM = "the result is drawn at random"
TRAINING = "computes gradients, which inference does not contain"
META = "gives no tensor"
EMPTY = "the elements of the result are undefined"
DUPLICATE = "writes into an argument given for it; exported programs do not contain it"

OUTSIDE = {
    "rand.default": RANDOM,
    "randn.default": RANDOM,
    "randperm.default": RANDOM,
    "native_dropout.default": RANDOM,
    "_adaptive_avg_pool2d_backward.default": TRAINING,
    "avg_pool2d_backward.default": TRAINING,
    "convolution_backward.default": TRAINING,
    "embedding_dense_backward.default": TRAINING,
    "max_pool2d_with_indices_backward.default": TRAINING,
    "native_group_norm_backward.default": TRAINING,
    "native_layer_norm_backward.default": TRAINING,
    "empty.memory_format": EMPTY,
    "empty_strided.default": EMPTY,
    "atan2.out": DUPLICATE,
    "_local_scalar_dense.default": META,
    "sym_numel.default": META,
    "sym_size.int": META,
    "sym_storage_offset.default": META,
    "sym_stride.int": META,
    "_fft_c2r.default": "works on complex numbers",
    "_fft_r2c.default": "works on complex numbers",
}


def extra_calls():
    """Calls of overloads that Python code does not reach, or reaches in few forms."""
    aten = torch.ops.aten
    g = torch.Generator().manual_seed(5)
    f = lambda *s, dtype=torch.float32: torch.randn(*s, generator=g).to(dtype)
    i = lambda *s, lo=-9, hi=9, dtype=torch.int64: torch.randint(lo, hi, s, generator=g).to(dtype)
    b = lambda *s: torch.randint(0, 2, s, generator=g).bool()
    half, i32, f64 = torch.float16, torch.int32, torch.float64
    floats = lambda: (f(3, 4), f(5), f(2, 3, 4, dtype=half), f(3, dtype=f64), f(()))
    ints = lambda: (i(3, 4), i(5, dtype=i32), i(2, 3, dtype=torch.int8))
    for name in ("add", "sub"):
        op = getattr(aten, name).Scalar
        for x in floats():
            yield op, (x, 2), {}
            yield op, (x, 0.5, 3), {}
        for x in ints():
            yield op, (x, 3), {}
            yield op, (x, 3, 2), {}
            yield op, (x, 1.5), {}
    for name in ("mul", "div", "eq", "ne", "ge", "gt", "le", "lt", "fmod", "remainder"):
        op = getattr(aten, name).Scalar
        for x in floats():
            yield op, (x, 2), {}
            yield op, (x, -0.75), {}
        for x in ints():
            yield op, (x, 3), {}
            yield op, (x, -2), {}
        yield op, (i(4), 1.5), {}
    for x in ints() + floats():
        for mode in ("floor", "trunc", None):
            yield aten.div.Scalar_mode, (x, 3), {"rounding_mode": mode}
            yield aten.div.Scalar_mode, (x, -2), {"rounding_mode": mode}
    for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
        op = getattr(aten, name).Scalar
        for x in ints():
            yield op, (x, 6), {}
            yield op, (x, -3), {}
        yield op, (b(5), True), {}
    for x in (f(3, 4), i(4), f(2, dtype=half)):
        yield aten.fill.Scalar, (x, 3), {}
        yield aten.fill.Scalar, (x, 1.25), {}
        yield aten.pow.Scalar, (2, x.abs()), {}
        yield aten.pow.Scalar, (0.5, x), {}
    for x in (f(3, 4), f(2, 3, 4), f(2, 3, 4, dtype=half), f(3, 4, dtype=f64)):
        for dim in ([0], [-1], None):
            for unbiased in (True, False):
                yield aten.var.dim, (x, dim, unbiased, True), {}
            yield aten.var.correction, (x, dim), {"correction": 2, "keepdim": False}
    for x in (f(3, 4), i(3, 4), b(3, 4)):
        yield aten.any.dims, (x, [0, 1]), {}
        yield aten.any.dims, (x, [1], True), {}
        yield aten.any.dims, (x,), {}
        yield aten.alias.default, (x,), {}
        yield aten.copy.default, (x, x.flip(0)), {}
        yield aten.copy.default, (x, f(4)), {}
    for dtype in (torch.float32, torch.int64, torch.bool, half):
        yield aten.scalar_tensor.default, (3,), {"dtype": dtype}
        yield aten.full.default, ([2, 3], 1), {"dtype": dtype}
        yield aten.full.default, ([], 1), {"dtype": dtype}
    yield aten.scalar_tensor.default, (2.5,), {}
    yield aten.full.default, ([4], 0.5), {}
    yield aten.full.default, ([0, 4], 7), {}
    yield aten.arange.start_step, (2, 11, 3), {}
    yield aten.arange.start_step, (0, 1, 0.125), {}
    yield aten.arange.start_step, (5, -5, -2), {"dtype": torch.float32}
    yield aten.arange.start_step, (0, 4), {"dtype": i32}
    x, w, bias, mean, var = f(2, 3, 4, 5), f(3), f(3), f(3), f(3).abs() + 0.5
    for args in ((w, bias), (None, None), (w, None)):
        yield aten._native_batch_norm_legit_no_training.default, (x, *args, mean, var, 0.1, 1e-5), {}
        yield aten._native_batch_norm_legit.no_stats, (x, *args, True, 0.1, 1e-5), {}
        yield aten._native_batch_norm_legit.default, (x, *args, mean, var, False, 0.1, 1e-3), {}
    for size in ([1, 1], [2, 2], [3, 2], [7, 7]):
        yield aten._adaptive_avg_pool2d.default, (f(2, 3, 6, 6), size), {}
        yield aten._adaptive_avg_pool3d.default, (f(1, 2, 6, 6, 6), [*size, 2]), {}
    for align in (True, False):
        yield aten.upsample_bilinear2d.vec, (f(1, 2, 4, 5), [7, 9], align, None), {}
        yield aten.upsample_bilinear2d.vec, (f(1, 2, 4, 5), None, align, [2.0, 1.5]), {}
        yield aten.avg_pool1d.default, (f(2, 3, 9), [3], [2], [1], align), {}
    for dtype in (torch.float32, half, f64):
        yield aten.avg_pool1d.default, (f(2, 3, 9, dtype=dtype), [4]), {}
        yield aten.avg_pool1d.default, (f(3, 9, dtype=dtype), [3], [3], [1], False, False), {}
        yield aten.adaptive_avg_pool1d.default, (f(2, 3, 9, dtype=dtype), [3]), {}
        yield aten.adaptive_avg_pool1d.default, (f(3, 7, dtype=dtype), [5]), {}
    yield aten.upsample_nearest2d.vec, (f(1, 2, 4, 5), [7, 9], None), {}
    yield aten.upsample_nearest2d.vec, (f(1, 2, 4, 5), None, [2.0, 3.0]), {}
    for p in (1.0, 2.0, 0.0, 3.0, float("inf")):
        yield aten._cdist_forward.default, (f(2, 3, 4), f(2, 5, 4), p, None), {}
        yield aten._pdist_forward.default, (f(4, 3), p), {}
    table, rows, starts = f(10, 4), i(6, lo=0, hi=10), torch.tensor([0, 2, 2, 5])
    for mode in (0, 1, 2):
        yield aten._embedding_bag.default, (table, rows, starts, False, mode), {}
    yield aten.embedding.default, (table, i(2, 3, lo=0, hi=10), 1), {}
    yield aten.embedding.default, (table, i(2, 3, lo=0, hi=10, dtype=i32)), {}
    for reduce in ("sum", "prod", "mean", "amax", "amin"):
        for include in (True, False):
            rest = (0, i(3, 4, lo=0, hi=5), f(3, 4), reduce)
            yield aten.scatter_reduce.two, (f(5, 4), *rest), {"include_self": include}
    for pad in ([1, 2], [0, 3]):
        yield aten.reflection_pad1d.default, (f(2, 3, 6), pad), {}
        yield aten.reflection_pad2d.default, (f(2, 3, 6, 7), [*pad, 2, 1]), {}
        yield aten.reflection_pad3d.default, (f(1, 2, 4, 5, 6), [*pad, 2, 1, 0, 1]), {}
        yield aten.replication_pad2d.default, (f(2, 3, 6, 7), [*pad, 2, 1]), {}
        yield aten.replication_pad3d.default, (f(1, 2, 4, 5, 6), [*pad, 2, 1, 0, 1]), {}
        yield aten.constant_pad_nd.default, (f(2, 3, 6), [*pad, -1, 1], 1.5), {}
        yield aten.constant_pad_nd.default, (i(2, 6), pad, 3), {}
    for ceil in (False, True):
        yield aten.avg_pool2d.default, (f(1, 2, 7, 8), [3, 2], [2, 2], [1, 1], ceil, False), {}
        yield aten.avg_pool2d.default, (f(1, 2, 7, 8), [3, 2], [2, 2], [1, 1], ceil, True, 5), {}
        yield aten.avg_pool3d.default, (f(1, 2, 5, 7, 8), [2, 3, 2], [2, 2, 2], [0, 1, 1], ceil), {}
        yield aten.max_pool2d_with_indices.default, (f(1, 2, 7, 8), [3, 3], [2, 2], [1, 1], [1, 2], ceil), {}
        yield aten.max_pool3d_with_indices.default, (f(1, 2, 5, 7, 8), [2, 3, 2], [2, 2, 2], [0, 1, 1], [1, 1, 1], ceil), {}
    for stride, padding, dilation, transposed, extra, groups in (
        ([1], [0], [1], False, [0], 1),
        ([2], [1], [2], False, [0], 2),
        ([2], [1], [1], True, [1], 1),
        ([2], [1], [1], True, [0], 2),
    ):
        for rank in (1, 2, 3):
            shape = (4, 4 // groups, *[3] * rank)
            rest = (stride * rank, padding * rank, dilation * rank, transposed, extra * rank, groups)
            bias = f(shape[1] * groups) if transposed else f(4)
            yield aten.convolution.default, (f(2, 4, *[7] * rank), f(*shape), bias, *rest), {}
            yield aten.convolution.default, (f(1, 4, *[7] * rank), f(*shape), None, *rest), {}
    yield aten.col2im.default, (f(2, 12, 12), [4, 5], [2, 2], [1, 1], [0, 0], [1, 1]), {}
    yield aten.col2im.default, (f(1, 8, 9), [5, 5], [2, 2], [1, 1], [1, 1], [2, 2]), {}
    for x in (f(4, 5), i(4, 5), b(4, 5), f(4, 5, dtype=half)):
        for start, end, step in ((1, 3, 1), (None, None, 2), (-3, -1, 1), (0, 9, 3)):
            part = x[:, slice(start, end, step)]
            yield aten.slice_scatter.default, (x, part.flip(0), 1, start, end, step), {}
    for x in (f(4, 5), i(4, 5)):
        yield aten.sort.default, (x, 0, True), {}
        yield aten.topk.default, (x, 2, 0, False, True), {}
        yield aten.squeeze.dims, (x[:, None, :, None], [1, 3]), {}
        yield aten.squeeze.dim, (x[:, None], 1), {}
        yield aten.squeeze.dim, (x, 1), {}
        yield aten.as_strided.default, (x, [2, 3], [5, 1], 2), {}
        yield aten.as_strided.default, (x, [3, 2, 2], [5, 1, 1]), {}
        yield aten.view.default, (x, [2, -1]), {}
        yield aten.max.dim, (x, 1), {}
        yield aten.min.dim, (x, 0, True), {}
        yield aten.masked_scatter.default, (x, x > 0, torch.zeros(20, dtype=x.dtype)), {}
        yield aten.nonzero.default, (x,), {}
        yield aten.index.Tensor, (x, [None, torch.tensor([0, 3, -1])]), {}
        yield aten.index.Tensor, (x, [torch.tensor([[1], [2]]), torch.tensor([0, 3, -1])]), {}
        yield aten.index.Tensor, (x, [x > 0]), {}
        yield aten.index_put.default, (x, [torch.tensor([0, 2])], torch.ones(5, dtype=x.dtype)), {}
        yield aten.index_put.default, (x, [None, torch.tensor([0, 2])], torch.ones((), dtype=x.dtype), True), {}
        yield aten.index_put.default, (x, [x > 0], torch.ones((), dtype=x.dtype)), {}

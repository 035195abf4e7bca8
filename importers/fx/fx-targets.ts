/*
 * Functions and methods as torch.fx names them, with the ATen operator that each is: its parameters in Python's order,
 * and after `>` the operator's name for one where it has another. `!` marks a parameter that changes no result, and
 * `=` an argument that the operator needs and Python leaves out.
 */

export interface Signature {
  readonly target: string;
  readonly parameters: readonly { readonly python: string; readonly aten: string | undefined }[];
  readonly defaults: Readonly<Record<string, number | boolean>>;
}

const table = `
abs abs input>self
acos acos input>self
adaptive_avg_pool1d adaptive_avg_pool1d input>self output_size
adaptive_avg_pool2d adaptive_avg_pool2d input>self output_size
adaptive_avg_pool3d adaptive_avg_pool3d input>self output_size
adaptive_max_pool2d adaptive_max_pool2d input>self output_size
add add.Tensor input>self other alpha
addmm addmm input>self mat1 mat2 beta alpha
all all input>self dim keepdim
amax amax input>self dim keepdim
amin amin input>self dim keepdim
and_ bitwise_and.Tensor input>self other
any any input>self dim keepdim
argmax argmax input>self dim keepdim
argmin argmin input>self dim keepdim
asin asin input>self
atan atan input>self
avg_pool1d avg_pool1d input>self kernel_size stride padding ceil_mode count_include_pad
avg_pool2d avg_pool2d input>self kernel_size stride padding ceil_mode count_include_pad divisor_override
baddbmm baddbmm input>self batch1 batch2 beta alpha
batch_norm batch_norm input running_mean running_var weight bias training momentum eps cudnn_enabled=false momentum=0.1 eps=0.00001
bmm bmm input>self mat2
cat cat tensors dim
ceil ceil input>self
chunk chunk input>self chunks dim
clamp clamp input>self min max
clone clone input>self
constant_pad_nd constant_pad_nd input>self pad value
contiguous contiguous input>self
conv1d conv1d input weight bias stride padding dilation groups
conv2d conv2d input weight bias stride padding dilation groups
conv3d conv3d input weight bias stride padding dilation groups
conv_transpose1d conv_transpose1d input weight bias stride padding output_padding groups dilation
conv_transpose2d conv_transpose2d.input input weight bias stride padding output_padding groups dilation
cos cos input>self
cosine_similarity cosine_similarity x1 x2 dim eps
cumprod cumprod input>self dim
cumsum cumsum input>self dim
detach detach input>self
div div.Tensor input>self other
dot dot input>self tensor
dropout dropout input p training>train !inplace p=0.5 train=false
dropout2d feature_dropout input p training>train !inplace p=0.5 train=false
einsum einsum equation operands>tensors
elu elu input>self alpha !inplace
embedding embedding input>indices weight padding_idx !max_norm !norm_type !scale_grad_by_freq !sparse
eq eq.Tensor input>self other
erf erf input>self
exp exp input>self
expand expand input>self size
expand_as expand_as input>self other
expm1 expm1 input>self
flatten flatten.using_ints input>self start_dim end_dim
flip flip input>self dims
floor floor input>self
floor_divide floor_divide input>self other
floordiv floor_divide input>self other
gather gather input>self dim index
ge ge.Tensor input>self other
gelu gelu input>self approximate
glu glu input>self dim
group_norm group_norm input num_groups weight bias eps
gt gt.Tensor input>self other
hardsigmoid hardsigmoid input>self !inplace
hardswish hardswish input>self !inplace
hardtanh hardtanh input>self min_val max_val !inplace
index_select index_select input>self dim index
instance_norm instance_norm input running_mean running_var weight bias use_input_stats momentum eps cudnn_enabled=false use_input_stats=true momentum=0.1 eps=0.00001
invert bitwise_not input>self
layer_norm layer_norm input normalized_shape weight bias eps
le le.Tensor input>self other
leaky_relu leaky_relu input>self negative_slope !inplace
linear linear input weight bias
log log input>self
log1p log1p input>self
log2 log2 input>self
log_softmax log_softmax.int input>self dim !_stacklevel dtype
logical_and logical_and input>self other
logical_not logical_not input>self
logical_or logical_or input>self other
logsigmoid log_sigmoid input>self
logsumexp logsumexp input>self dim keepdim
lt lt.Tensor input>self other
masked_fill masked_fill.Scalar input>self mask value
matmul matmul input>self other
max max input>self dim keepdim
max_pool1d max_pool1d input>self kernel_size stride padding dilation ceil_mode !return_indices
max_pool2d max_pool2d input>self kernel_size stride padding dilation ceil_mode !return_indices
max_pool3d max_pool3d input>self kernel_size stride padding dilation ceil_mode !return_indices
maximum maximum input>self other
mean mean.dim input>self dim keepdim dtype
min min input>self dim keepdim
minimum minimum input>self other
mish mish input>self !inplace
mm mm input>self mat2
mod remainder.Tensor input>self other
movedim movedim.int input>self source destination
mul mul.Tensor input>self other
narrow narrow input>self dim start length
ne ne.Tensor input>self other
neg neg input>self
numpy_T numpy_T input>self
or_ bitwise_or.Tensor input>self other
outer outer input>self vec2
pad pad input pad mode value
permute permute input>self dims
pixel_shuffle pixel_shuffle input>self upscale_factor
pow pow.Tensor_Scalar input>self exponent
prelu prelu input>self weight
prod prod input>self dim keepdim
reciprocal reciprocal input>self
relu relu input>self !inplace
relu6 relu6 input>self !inplace
repeat repeat input>self repeats
reshape reshape input>self shape
rms_norm rms_norm input normalized_shape weight eps
roll roll input>self shifts dims
round round input>self
rsqrt rsqrt input>self
scaled_dot_product_attention scaled_dot_product_attention query key value attn_mask dropout_p is_causal scale enable_gqa
scatter scatter.src input>self dim index src
select select.int input>self dim index
selu selu input>self !inplace
sigmoid sigmoid input>self
sign sign input>self
silu silu input>self !inplace
sin sin input>self
softmax softmax.int input>self dim !_stacklevel dtype
softplus softplus input>self beta threshold
split split.Tensor input>self split_size_or_sections>split_size dim
sqrt sqrt input>self
square square input>self
squeeze squeeze.dim input>self dim
stack stack tensors dim
sub sub.Tensor input>self other alpha
sum sum.dim_IntList input>self dim keepdim dtype
t t input>self
take_along_dim take_along_dim input>self indices dim
tan tan input>self
tanh tanh input>self
to to.dtype input>self dtype !non_blocking !copy !memory_format
topk topk input>self k dim largest sorted
transpose transpose.int input>self dim0 dim1
tril tril input>self diagonal
triu triu input>self diagonal
truediv div.Tensor input>self other
trunc trunc input>self
type to.dtype input>self dtype
type_as type_as input>self other
unbind unbind.int input>self dim
unsqueeze unsqueeze input>self dim
view view input>self size
view_as view_as input>self other
where where.self condition input>self other
xor bitwise_xor.Tensor input>self other
`;

/** The same function under another name. */
const aliases: Readonly<Record<string, string>> = {
  absolute: 'abs',
  concat: 'cat',
  concatenate: 'cat',
  divide: 'div',
  iadd: 'add_',
  imul: 'mul_',
  isub: 'sub_',
  itruediv: 'div_',
  multiply: 'mul',
  negative: 'neg',
  subtract: 'sub',
  swapaxes: 'transpose',
  true_divide: 'div',
};

const signatures: ReadonlyMap<string, Signature> = new Map(
  table
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', target = '', ...words] = line.split(' ');
      const parameters = words
        .filter((w) => !w.includes('='))
        .map((w) => {
          const [python = '', aten = python] = w.replace('!', '').split('>');
          return { python, aten: w.startsWith('!') ? undefined : aten };
        });
      const defaults = words
        .filter((w) => w.includes('='))
        .map((w) => {
          const [key = '', value = ''] = w.split('=');
          return [key, value === 'true' ? true : value === 'false' ? false : Number(value)] as const;
        });
      return [name, { target, parameters, defaults: Object.fromEntries(defaults) }];
    }),
);

/** Methods that change the type of the elements. */
export const castMethods: Readonly<Record<string, string>> = {
  float: 'torch.float32',
  double: 'torch.float64',
  half: 'torch.float16',
  bfloat16: 'torch.bfloat16',
  long: 'torch.int64',
  int: 'torch.int32',
  bool: 'torch.bool',
};

/** The operator that a function of Python is, by its qualified name or a method's own; `inPlace` after an underscore. */
export function signatureOf(
  name: string,
): { readonly signature: Signature; readonly inPlace: boolean } | undefined {
  const dot = name.lastIndexOf('.');
  const home = name.slice(0, Math.max(0, dot));
  if (home !== '' && !/^(torch(\.\w+)*|_?operator|builtins|math)$/.test(home)) return undefined;
  const own = name.slice(dot + 1);
  const known = Object.hasOwn(aliases, own) ? aliases[own]! : own;
  const inPlace = /[a-z0-9]_$/.test(known) && !signatures.has(known);
  const signature = signatures.get(inPlace ? known.slice(0, -1) : known);
  return signature && { signature, inPlace };
}

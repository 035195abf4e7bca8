"""Exports whole networks with random weights, with what eager PyTorch computes for them.

    python scripts/pt2/models.py OUT [NAME ...]

For each network and each of `fixed` and `dynamic`, OUT/NAME/KIND holds model.pt2 and data sets; OUT/models.json lists
them. Nothing is downloaded. Weights are calibrated so that results depend on the inputs: statistics of batch norms are
taken from noise, and weights that start at zero, or nearly, are drawn.
"""

import copy
import json
import pathlib
import sys
import time
import warnings

import torch
from torch import nn
from torch.utils import _pytree as pytree

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from data import described, tolerance, write_set  # noqa: E402

warnings.filterwarnings("ignore")
AUTO = torch.export.Dim.AUTO


def image(*sizes):
    return lambda batch, _: (torch.randn(batch, 3, *sizes),)


def vision(name, size=224):
    import torchvision

    def make():
        return getattr(torchvision.models, name)(weights=None)

    return make, image(size, size), ({0: AUTO},)


def keep_boxes(boxes, scores, classes, overlap):
    """What torchvision does with few boxes. Its choice between two ways by their number cannot be exported."""
    from torchvision.ops import nms

    apart = classes.to(boxes) * (boxes.amax() + 1)
    return nms(boxes + apart[:, None], scores, overlap)


class Detector(nn.Module):
    """Takes a batch of one size, and gives the tensors of the first image."""

    def __init__(self):
        super().__init__()
        import torchvision

        torchvision.ops.boxes.batched_nms = keep_boxes
        self.net = torchvision.models.detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5)

    def calibrate(self, x):
        # Batch norms over one image of one pixel have no statistics.
        self.net.head(list(self.net.backbone(x).values()))

    def forward(self, x):
        found = self.net([x[0]])
        found = found[1] if isinstance(found, tuple) else found
        return found[0]["boxes"] / 320, found[0]["scores"], found[0]["labels"]


class DetectorHead(nn.Module):
    """What is in front of the choice of boxes: scores of the classes and offsets of the boxes."""

    def __init__(self):
        super().__init__()
        self.net = Detector().net

    def forward(self, x):
        return self.net.head(list(self.net.backbone(x).values()))


class Chosen(nn.Module):
    """A transformers model of which some results are kept."""

    def __init__(self, net, inputs, results):
        super().__init__()
        self.net, self.inputs, self.results = net, inputs, results

    def forward(self, *args):
        out = self.net(**dict(zip(self.inputs, args)))
        return {r: out[r] for r in self.results}


def tokens(vocabulary):
    def make(batch, length):
        mask = torch.ones(batch, length, dtype=torch.int64)
        mask[0, length - 2 :] = 0
        return torch.randint(0, vocabulary, (batch, length)), mask

    return make


def text(build, results=("last_hidden_state",)):
    def make():
        return Chosen(build(), ("input_ids", "attention_mask"), results)

    both = {0: AUTO, 1: AUTO}
    return make, tokens(500), ((both, both),)


def bert():
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(vocab_size=500, num_hidden_layers=6, attn_implementation="sdpa"))


def distilbert():
    from transformers import DistilBertConfig, DistilBertModel

    return DistilBertModel(DistilBertConfig(vocab_size=500, attn_implementation="sdpa"))


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(vocab_size=500, n_layer=6, use_cache=False, attn_implementation="sdpa"))


def t5():
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(vocab_size=500, num_layers=4, use_cache=False))


def clip():
    from transformers import CLIPConfig, CLIPModel

    config = CLIPConfig(
        text_config=dict(vocab_size=500, num_hidden_layers=4, eos_token_id=499, attn_implementation="sdpa"),
        vision_config=dict(num_hidden_layers=4, attn_implementation="sdpa"),
    )
    return CLIPModel(config)


def clip_case():
    def make():
        return Chosen(
            clip(), ("input_ids", "pixel_values", "attention_mask"), ("logits_per_image", "text_embeds", "image_embeds")
        )

    def inputs(batch, length):
        ids, mask = tokens(499)(batch, length)
        ids[:, -3] = 499
        return ids, torch.randn(batch, 3, 224, 224), mask

    both = {0: AUTO, 1: AUTO}
    return make, inputs, ((both, {0: AUTO}, both),)


def whisper():
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = WhisperConfig(d_model=384, encoder_layers=4, encoder_attention_heads=6, encoder_ffn_dim=1536, attn_implementation="sdpa")
    return Chosen(WhisperEncoder(config), ("input_features",), ("last_hidden_state",))


MODELS = {
    "resnet50": vision("resnet50"),
    "mobilenet_v3_large": vision("mobilenet_v3_large"),
    "efficientnet_b0": vision("efficientnet_b0"),
    "convnext_tiny": vision("convnext_tiny"),
    "swin_t": vision("swin_t"),
    "vit_b_16": vision("vit_b_16"),
    "ssdlite320": (Detector, image(320, 320), ({},)),
    "ssdlite320_head": (DetectorHead, image(320, 320), ({0: AUTO},)),
    "bert": text(bert, ("last_hidden_state", "pooler_output")),
    "distilbert": text(distilbert),
    "gpt2": text(gpt2, ("logits",)),
    "t5_encoder": text(t5),
    "clip": clip_case(),
    "whisper_encoder": (whisper, lambda batch, _: (torch.randn(batch, 80, 3000),), (({0: AUTO},),)),
}


def calibrated(net, inputs):
    """Statistics from noise, and no weights at (nearly) zero, which would hide whatever is in front of them."""
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        for p in net.parameters():
            if p.dim() > 0 and p.abs().max() < 1e-4:
                p.normal_(0, 0.05)
        if norms:
            for m in norms:
                m.momentum = None
                m.reset_running_stats()
                m.train()
            for _ in range(2):
                getattr(net, "calibrate", net)(*inputs)
    return net.eval()


def leaves(value):
    return [t for t in pytree.tree_leaves(value) if isinstance(t, torch.Tensor)]


def main(out, *names):
    listing = out / "models.json"
    known = json.loads(listing.read_text()) if listing.exists() else {"models": []}
    entries = {(m["name"], m["kind"]): m for m in known["models"]}
    for name, (make, inputs, dynamic) in MODELS.items():
        if names and name not in names:
            continue
        torch.manual_seed(3)
        net = calibrated(make().eval(), inputs(2, 12))
        batch = 1 if name == "ssdlite320" else 2
        wide = copy.deepcopy(net).double()
        for kind in ("fixed", "dynamic"):
            if kind == "dynamic" and dynamic == ({},):
                continue
            start = time.time()
            entry = dict(name=name, kind=kind)
            directory = out / name / kind
            try:
                example = inputs(batch, 12)
                with torch.no_grad():
                    program = torch.export.export(
                        net, example, dynamic_shapes=dynamic if kind == "dynamic" else None, strict=False
                    )
                directory.mkdir(parents=True, exist_ok=True)
                torch.export.save(program, directory / "model.pt2")
                sets = [example] if kind == "fixed" else [example, inputs(3, 17), inputs(1, 5)]
                rtol, atol = 0.0, 0.0
                for i, given in enumerate(sets):
                    with torch.no_grad():
                        results = leaves(net(*given))
                        exact = leaves(wide(*[t.double() if t.is_floating_point() else t for t in given]))
                    write_set(directory / f"test_data_set_{i}", given, results)
                    bounds = tolerance(given, results, exact)
                    rtol, atol = max(rtol, bounds[0]), max(atol, bounds[1])
                shapes = [s.meta["val"].shape for s in program.graph.nodes if s.op == "placeholder" and s.name in program.graph_signature.user_inputs]
                entry.update(
                    dataSets=len(sets),
                    rtol=rtol,
                    atol=atol,
                    inputs=[", ".join(described(t) for t in given) for given in sets],
                    shapes=str([list(map(str, s)) for s in shapes]),
                    parameters=sum(p.numel() for p in net.parameters()),
                    spread=min(r.double().std().item() for r in results if r.numel() > 1),
                )
            except Exception as e:
                entry.update(error=f"{type(e).__name__}: {str(e).strip()[:300]}")
            entries[(name, kind)] = entry
            print(f"{name} {kind} {time.time() - start:.0f} s {entry.get('error', '')} {entry.get('shapes', '')} spread {entry.get('spread')} atol {entry.get('atol')}", flush=True)
            listing.write_text(json.dumps(dict(torch=torch.__version__, models=list(entries.values())), indent=1))


main(pathlib.Path(sys.argv[1]), *sys.argv[2:])

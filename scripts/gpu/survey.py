"""Many architectures at random weights, exported by PyTorch and converted for the GPU at hand: how much of each is
compiled, and whether it agrees with onnxruntime.

usage: python scripts/gpu/survey.py [--convert COMMAND] [--only REGEX] [--out DIR] [--jobs N] [--target T]

One of each family of torchvision and timm, and small configurations of transformers. Writes survey.md while it runs.
"""

import argparse
import multiprocessing
import os
import re
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

import torch

from conversion import command_json
from measuring import compiled_share
from networks import Outputs, calibrated, image, timm_vision, tokens, vision

TORCHVISION = """alexnet convnext_tiny densenet121 efficientnet_v2_s googlenet inception_v3 maxvit_t mnasnet1_0 mobilenet_v2
regnet_x_400mf regnet_y_400mf resnet18 resnext50_32x4d shufflenet_v2_x1_0 squeezenet1_1 swin_v2_t vgg11_bn vit_b_32""".split()

SEGMENTATION = "deeplabv3_mobilenet_v3_large fcn_resnet50 lraspp_mobilenet_v3_large".split()

TIMM = """beit_base_patch16_224 cait_xxs24_224 coat_tiny coatnet_0_rw_224 convit_tiny convmixer_768_32 convnextv2_atto
crossvit_9_240 cspresnet50 davit_tiny deit3_small_patch16_224 dla34 dpn68 edgenext_xx_small efficientformer_l1
efficientvit_b0 eva02_tiny_patch14_224 fastvit_t8 focalnet_tiny_srf gcvit_xxtiny gernet_s ghostnet_100 hardcorenas_a hgnet_tiny
hiera_tiny_224 hrnet_w18_small inception_next_atto inception_resnet_v2 inception_v4 lambda_resnet26t lcnet_050 levit_128s
mambaout_femto maxxvit_rmlp_nano_rw_256 mixer_s16_224 mobilenetv4_conv_small mobileone_s0 mobilevit_xxs mobilevitv2_050
mvitv2_tiny nest_tiny nextvit_small nf_resnet50 nfnet_l0 pit_ti_224 poolformer_s12 pvt_v2_b0 regnetz_005 repvgg_a0 repvit_m1
res2net50_26w_4s resmlp_12_224 resnest14d resnetv2_50 rexnet_100 samvit_base_patch16_224 sebotnet33ts_256 selecsls42
semnasnet_075 sequencer2d_s seresnext26d_32x4d shvit_s1 skresnet18 starnet_s1 swinv2_cr_tiny_224 tiny_vit_5m_224
tinynet_e tnt_s_patch16_224 tresnet_m twins_pcpvt_small visformer_tiny vitamin_small_224 volo_d1_224 xception41
xcit_nano_12_p16_224""".split()

SMALL = dict(hidden_size=128, num_hidden_layers=2, num_attention_heads=4, vocab_size=1000)
WIDER = dict(SMALL, intermediate_size=256)
GROUPED = dict(WIDER, num_key_value_heads=2, use_cache=False)
TRANSFORMERS = {
    "Albert": dict(WIDER, embedding_size=64), "Bert": WIDER, "BigBird": dict(WIDER, attention_type="original_full"),
    "CodeGen": dict(n_embd=128, n_layer=2, n_head=4, vocab_size=1000, use_cache=False, rotary_dim=16), "Cohere": GROUPED, "ConvBert": WIDER, "Deberta": WIDER,
    "DebertaV2": WIDER, "Electra": dict(WIDER, embedding_size=64), "Ernie": WIDER, "Falcon": dict(SMALL, use_cache=False),
    "Gemma": dict(GROUPED, head_dim=32), "Gemma2": dict(GROUPED, head_dim=32), "GPTBigCode": dict(n_embd=128, n_layer=2, n_head=4, vocab_size=1000, use_cache=False),
    "GPTNeo": dict(hidden_size=128, num_layers=2, num_heads=4, vocab_size=1000, attention_types=[[["global", "local"], 1]], use_cache=False),
    "GPTNeoX": dict(WIDER, use_cache=False), "GPTJ": dict(n_embd=128, n_layer=2, n_head=4, rotary_dim=16, vocab_size=1000, use_cache=False),
    "IBert": WIDER, "Llama": GROUPED, "MegatronBert": WIDER, "Mistral": GROUPED, "Mixtral": dict(GROUPED, num_local_experts=4),
    "MobileBert": SMALL, "MPNet": WIDER, "Mpt": dict(d_model=128, n_layers=2, n_heads=4, vocab_size=1000, use_cache=False),
    "Nystromformer": dict(WIDER, num_landmarks=8, segment_means_seq_len=32), "Olmo": GROUPED, "OPT": dict(hidden_size=128, ffn_dim=256, num_hidden_layers=2, num_attention_heads=4, vocab_size=1000, word_embed_proj_dim=128, use_cache=False),
    "Phi": dict(GROUPED), "Phi3": dict(GROUPED, pad_token_id=0), "Qwen2": GROUPED, "Qwen3": GROUPED, "RemBert": dict(WIDER, input_embedding_size=64), "Roberta": WIDER, "RoFormer": WIDER,
    "SqueezeBert": dict(WIDER, embedding_size=128), "StableLm": GROUPED, "Starcoder2": GROUPED, "XLMRoberta": WIDER, "XLNet": dict(d_model=128, n_layer=2, n_head=4, vocab_size=1000),
}  # fmt: skip


def segmentation(name):
    import torchvision

    class Scores(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None)

        def forward(self, x):
            return self.network(x)["out"]

    return Scores()


def small_transformer(name, settings):
    import transformers

    config = getattr(transformers, f"{name}Config")(**settings)
    return Outputs(getattr(transformers, f"{name}Model")(config), ["last_hidden_state"])


def pictures_of(name):
    size = re.search(r"(224|240|256)$", name)
    side = int(size[1]) if size else {"inception_v3": 299}.get(name, 224)
    return image(2, (3, side, side))


def every():
    """Name: (library, how it is made, its inputs)."""
    sources = [("torchvision", n, vision(n)[0]) for n in TORCHVISION]
    sources += [("torchvision", n, lambda n=n: segmentation(n)) for n in SEGMENTATION]
    sources += [("timm", n, timm_vision(n)[0]) for n in TIMM]
    found = {n: (library, make, lambda n=n: pictures_of(n)) for library, n, make in sources}
    for n, settings in TRANSFORMERS.items():
        found[n] = ("transformers", lambda n=n, s=settings: small_transformer(n, s), lambda: tokens(2, 32, 1000))
    return found


def attempt(name, command, target, work):
    """A row: what was seen, or the step that failed and why."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    directory = os.path.join(work, name)
    os.makedirs(directory)
    path = os.path.join(directory, "model.onnx")
    _, make, inputs_of = every()[name]
    step, row = "made", {}
    try:
        inputs = inputs_of()
        model = calibrated(make(), inputs)
        step = "exported"
        torch.onnx.export(model, inputs, path, opset_version=18, dynamo=True, external_data=True, verbose=False)
        step = "converted"
        start = time.time()
        engine = os.path.join(directory, "engine")
        # Exit code 1: not within the tolerance.
        row["report"] = command_json(command, path, "-o", engine, "--target", target, codes=(0, 1))
        row["seconds"] = time.time() - start
    except Exception as e:
        row["failure"] = f"not {step}: {type(e).__name__}: {e}".replace("\n", " ")[:400]
    return row


def line(name, library, row):
    if "failure" in row:
        return f"| {name} | {library} | {row['failure']} |"
    report = row["report"]
    outputs = [o["comparison"] for o in report.get("accuracy", {}).get("outputs", [])]
    left = sorted({n["operator"] for n in report["nodes"] if n["placement"] == "fallback"})
    verdict = "not compared" if not outputs else "yes" if all(o["pass"] for o in outputs) else "NO"
    worst = min((o["cosine"] for o in outputs), default=float("nan"))
    remarks = "; ".join([*(["onnxruntime: " + ", ".join(left)] if left else []), *report["warnings"]])
    return (
        f"| {name} | {library} | {compiled_share(report):.4g} % | {report['target']['precision']} | {worst:.6f} | {verdict} "
        f"| {row['seconds']:.1f} | {remarks[:300]} |"
    )


HEAD = """| network | from | compiled | floats | cosine | within tolerance | seconds | remarks |
|---|---|---|---|---|---|---|---|"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--convert", default="npx ait-convert")
    parser.add_argument("--only", default=".")
    parser.add_argument("--out", default=".")
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--target", default="cuda")
    options = parser.parse_args()
    chosen = {n: found for n, found in every().items() if re.search(options.only, n)}
    lines = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        pool = ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn"), max_tasks_per_child=4)
        waiting = {pool.submit(attempt, n, options.convert, options.target, work): n for n in chosen}
        for done in as_completed(waiting):
            name = waiting[done]
            try:
                row = done.result()
            except Exception as e:  # Its process ended.
                row = {"failure": f"{type(e).__name__}: {e}"}
            lines[name] = line(name, chosen[name][0], row)
            print(lines[name], flush=True)
            with open(os.path.join(options.out, "survey.md"), "w") as f:
                f.write("\n".join([HEAD, *(lines[n] for n in chosen if n in lines)]) + "\n")


if __name__ == "__main__":
    main()

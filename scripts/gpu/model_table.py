"""The table of networks on the GPU."""

from networks import NETWORKS

NOTES = """`ms` is the time of a run with inputs and outputs on the device; *eager* is PyTorch in fp16, channels last, recorded in a CUDA graph and replayed; cosine and error are those of the worst output against onnxruntime in fp32, eager's own beside them; *of tolerance* is the largest error as a share of what the diff command allows, 1 or less passes."""  # noqa: E501

HEAD = """| network | from | batch | compiled | launches | ms | eager, ms | ratio | cosine | eager's | error / max | of tolerance |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def line(r):
    source = NETWORKS[r["network"]][0] if r["network"] in NETWORKS else "torchvision"
    start = f"| {r['network']} | {source} | {r['batch']} |"
    if "failure" in r:
        return f"{start} FAILED: {r['failure'][:300]} |"
    start += f" {r['compiled']:.4g} % |"
    if "ms" not in r:
        left = [n for n in r["report"]["nodes"] if n["placement"] == "fallback"]
        reasons = "; ".join(sorted({f"{n['operator']}: {n.get('reason', '')}" for n in left}))
        return f"{start} {len(left)} nodes on onnxruntime: {reasons[:400]} |"
    ratio = r["eager_ms"] / r["ms"]
    return (
        f"{start} {r['launches']} | {r['ms']:.3f} | {r['eager_ms']:.3f} | {ratio:.2f} "
        f"| {r['cosine']:.6f} | {r['eager_cosine']:.6f} | {r['error']:.1e} | {r['tolerance']:.2f} |"
    )


def split_text(r):
    """What a network that is compiled in part comes to, as a paragraph."""
    if "failure" in r:
        return f"{r['network']}: FAILED: {r['failure'][:600]}"
    bench, segments = r["bench"], r["report"]["segments"]
    compiled = [s for s in segments if s["placement"] == "engine"]
    left = sorted({n["operator"] for n in r["report"]["nodes"] if n["placement"] == "fallback"})
    saves, costs = (1e3 * sum(s.get(k, 0) for s in compiled) for k in ("saves", "costs"))
    outputs = [o["comparison"] for o in r["diff"]["outputs"]]
    return (
        f"{r['network']} (torchvision, batch {r['batch']}, 320×320), through the Node runtime: {r['compiled']:.6g} % of its "
        f"work in {len(compiled)} compiled segments, {sum(s['kernels'] for s in compiled)} kernels; left to onnxruntime: "
        f"{', '.join(left) or 'nothing'}. By the report's estimate compiling saves {saves:.3g} ms a run and the borders "
        f"cost {costs:.3g} ms. Measured: {bench['engine']['median']:.2f} ms, onnxruntime alone on {bench['threads']} "
        f"threads {bench['onnxruntime']['median']:.2f} ms, {bench['ratio']:.2f} times as long. Against onnxruntime in fp32: "
        f"cosines {', '.join('%.6f' % o['cosine'] for o in outputs)}; the diff command says "
        f"{'pass' if r['diff']['pass'] else 'fail'}."
    )


def table(rows, device):
    order = [*NETWORKS, "Mask R-CNN"]
    whole = [r for r in rows if r["network"] in NETWORKS]
    whole.sort(key=lambda r: (order.index(r["network"]), r["batch"]))
    split = [r for r in rows if r["network"] not in NETWORKS]
    head = ["<!-- Printed by scripts/gpu/models.py. -->", "", device, NOTES, "", HEAD]
    parts = [*head, *map(line, whole), "", *map(split_text, split)]
    return "\n".join(parts) + "\n"

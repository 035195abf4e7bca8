"""The networks that the GPU's table is made of: random weights, calibrated so that activations stay in range."""

import torch

IMAGE = (3, 224, 224)


def image(batch, shape=IMAGE):
    return (torch.randn(batch, *shape),)


def tokens(batch, length, vocabulary):
    return (torch.randint(0, vocabulary, (batch, length)),)


def calibrated(model, inputs):
    """Statistics of batch norm as they are on data like this, residual branches as quiet as training makes them
    (at their initial weights each block adds as much as it gets, and roundings grow with depth), and a last layer
    that is not zero."""
    for name, m in model.named_modules():
        if name.endswith(("bn3", "block.3.1", "block.2.1")) and isinstance(m, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(m.weight, 0.25)
        if isinstance(m, torch.nn.Linear) and not m.weight.any():
            torch.nn.init.normal_(m.weight, std=0.02)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    if norms:
        for m in norms:
            m.momentum = None
            m.reset_running_stats()
        model.train()
        for m in model.modules():
            if isinstance(m, torch.nn.Dropout):
                m.eval()
        with torch.no_grad():
            model(*inputs)
    return model.eval()


class Outputs(torch.nn.Module):
    """A transformers model whose results are a plain tuple of tensors."""

    def __init__(self, model, names, call="input_ids"):
        super().__init__()
        self.model, self.names, self.call = model, names, call

    def forward(self, x):
        result = self.model(**{self.call: x})
        values = tuple(getattr(result, n) for n in self.names)
        return values if len(values) > 1 else values[0]


def vision(name):
    def make():
        import torchvision

        return getattr(torchvision.models, name)(weights=None)

    return make, lambda batch: image(batch)


def timm_vision(name):
    def make():
        import timm

        return timm.create_model(name, pretrained=False)

    return make, lambda batch: image(batch)


def bert():
    from transformers import BertConfig, BertModel

    return Outputs(BertModel(BertConfig(attn_implementation="sdpa")), ["last_hidden_state", "pooler_output"])


def distilbert():
    from transformers import DistilBertConfig, DistilBertModel

    return Outputs(DistilBertModel(DistilBertConfig(attn_implementation="sdpa")), ["last_hidden_state"])


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    return Outputs(GPT2LMHeadModel(GPT2Config(use_cache=False, attn_implementation="sdpa")), ["logits"])


def clip_text():
    from transformers import CLIPTextConfig, CLIPTextModel

    model = CLIPTextModel(CLIPTextConfig(attn_implementation="sdpa"))
    return Outputs(model, ["last_hidden_state", "pooler_output"])


def clip_vision():
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = CLIPVisionConfig(attn_implementation="sdpa", patch_size=32)
    return Outputs(CLIPVisionModel(config), ["last_hidden_state", "pooler_output"], "pixel_values")


class Unet(torch.nn.Module):
    """The denoiser of Stable Diffusion 1.5: the defaults of diffusers are its shape."""

    def __init__(self):
        super().__init__()
        from diffusers import UNet2DConditionModel

        self.unet = UNet2DConditionModel(cross_attention_dim=768)

    def forward(self, sample, step, text):
        return self.unet(sample, step, text, return_dict=False)[0]


class VaeDecoder(torch.nn.Module):
    """The image decoder of Stable Diffusion 1.5."""

    def __init__(self):
        super().__init__()
        from diffusers import AutoencoderKL

        width = (128, 256, 512, 512)
        self.vae = AutoencoderKL(
            block_out_channels=width, layers_per_block=2, latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        )  # fmt: skip

    def forward(self, latent):
        return self.vae.decode(latent, return_dict=False)[0]


def unet_inputs(batch):
    return torch.randn(batch, 4, 64, 64), torch.full((batch,), 500.0), torch.randn(batch, 77, 768)


def mask_rcnn(size=320):
    """Mask R-CNN whose few scores lie far apart: at its initial weights they are all the same but for roundings, and
    so is the order of what it finds."""
    import torchvision

    model = torchvision.models.detection.maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, min_size=size, max_size=size,
        rpn_pre_nms_top_n_test=20, rpn_post_nms_top_n_test=8, box_detections_per_img=4, box_nms_thresh=0.3,
    )  # fmt: skip
    for layer, std in ((model.rpn.head.cls_logits, 0.1), (model.roi_heads.box_predictor.cls_score, 0.2)):
        torch.nn.init.normal_(layer.weight, std=std)
    calibrated(model.backbone, image(4, (3, size, size)))
    return model.eval()


def picture(size=320):
    """Coloured blobs."""
    blobs = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8), size=(size, size), mode="bicubic")
    return blobs[0].clamp(0, 1)


# Name: (library, how it is made, its inputs for a batch, the large batch)
NETWORKS = {
    "ResNet-50": ("torchvision", *vision("resnet50"), 64),
    "MobileNetV3-L": ("torchvision", *vision("mobilenet_v3_large"), 64),
    "EfficientNet-B0": ("timm", *timm_vision("efficientnet_b0"), 64),
    "ConvNeXt-T": ("timm", *timm_vision("convnext_tiny"), 32),
    "Swin-T": ("torchvision", *vision("swin_t"), 32),
    "ViT-B/16": ("timm", *timm_vision("vit_base_patch16_224"), 32),
    "BERT-base": ("transformers", bert, lambda b: tokens(b, 128, 30522), 32),
    "DistilBERT": ("transformers", distilbert, lambda b: tokens(b, 128, 30522), 32),
    "GPT-2": ("transformers", gpt2, lambda b: tokens(b, 128, 50257), 8),
    "CLIP text": ("transformers", clip_text, lambda b: tokens(b, 77, 49000), 32),
    "CLIP vision": ("transformers", clip_vision, lambda b: image(b), 32),
    "SD 1.5 UNet": ("diffusers", Unet, unet_inputs, 4),
    "SD 1.5 VAE decoder": ("diffusers", VaeDecoder, lambda b: (torch.randn(b, 4, 64, 64),), 4),
}

# Names of the networks that take longest to prepare.
SLOWEST = ("SD 1.5 UNet", "Mask R-CNN", "SD 1.5 VAE decoder", "Swin-T", "GPT-2")

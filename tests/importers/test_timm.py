"""Networks of timm, one or more of each of its families: weights and multiply-accumulates as PyTorch counts them."""

from __future__ import annotations

import warnings

import pytest

import archbudget as ab

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

pytestmark = pytest.mark.torch

NETWORKS = [
    *("beit_base_patch16_224", "botnet26t_256", "caformer_s18", "coat_tiny", "coatnet_nano_rw_224", "convit_tiny"),
    *("convnext_atto", "convnextv2_atto", "crossvit_tiny_240", "cspresnet50", "darknet53", "davit_tiny"),
    *("deit3_small_patch16_224", "densenet121", "dla34", "dm_nfnet_f0", "dpn48b", "edgenext_xx_small"),
    *("efficientformer_l1", "efficientnet_b0", "efficientvit_b0", "efficientvit_m0", "ese_vovnet19b_dw"),
    *("eva02_tiny_patch14_224", "fastvit_t8", "focalnet_tiny_srf", "gcvit_xxtiny", "ghostnet_100", "gmlp_ti16_224"),
    *("halonet26t", "hardcorenas_a", "hgnet_tiny", "hiera_tiny_224", "hrnet_w18_small", "inception_next_atto"),
    *("inception_v3", "inception_v4", "lambda_resnet26t", "lcnet_050", "levit_128s", "mambaout_femto"),
    *("maxvit_rmlp_pico_rw_256", "mixer_s32_224", "mnasnet_small", "mobilenetv2_100", "mobilenetv3_small_100"),
    *("mobileone_s0", "mobilevit_xxs", "mobilevitv2_050", "nest_tiny", "nextvit_small", "nf_resnet26"),
    *("poolformer_s12", "pvt_v2_b0", "regnetx_002", "regnety_002", "repvgg_a0", "repvit_m1", "res2net50_26w_4s"),
    *("resmlp_12_224", "resnest14d", "resnet18", "resnext50_32x4d", "rexnet_100", "samvit_base_patch16_224"),
    *("selecsls42", "sequencer2d_s", "seresnet18", "skresnet18", "starnet_s1", "swin_tiny_patch4_window7_224"),
    *("swinv2_tiny_window8_256", "tiny_vit_5m_224", "tinynet_e", "tnt_s_patch16_224", "tresnet_m"),
    *("twins_pcpvt_small", "vgg11", "visformer_tiny", "vit_tiny_patch16_224", "volo_d1_224", "xception41"),
    "xcit_nano_12_p16_224",
]


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_timm(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = timm.create_model(name, pretrained=False).eval().to("meta")
        shape = tuple(module.default_cfg["input_size"])
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module(torch.zeros(1, *shape, device="meta"))
    values = {id(value): value for value in module.state_dict(keep_vars=True).values() if value.is_floating_point()}
    arch = ab.from_torch(module, shape).architecture()
    assert arch.params == sum(value.numel() for value in values.values())
    assert arch.trainable_params == sum(each.numel() for each in module.parameters())
    assert arch.macs == counter.get_total_flops() // 2

"""Each head against pytorch-metric-learning, where that has it: the loss and its gradient."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pytorch_metric_learning import losses as peers

from facerec.losses import ArcFace, CosFace, Head, NormFace, SphereFace, SubCenterArcFace

N, C, D, S = 24, 9, 16, 12.0
SIZE = {"num_classes": C, "embedding_size": D}


@pytest.mark.parametrize(
    ("head", "peer"),
    [
        (ArcFace(D, C, m=0.5, scale=S), peers.ArcFaceLoss(**SIZE, margin=math.degrees(0.5), scale=S)),
        (CosFace(D, C, m=0.35, scale=S), peers.CosFaceLoss(**SIZE, margin=0.35, scale=S)),
        (SphereFace(D, C, m=2, scale=S), peers.SphereFaceLoss(**SIZE, margin=2, scale=S)),
        (SphereFace(D, C, m=4, scale=S), peers.SphereFaceLoss(**SIZE, margin=4, scale=S)),
        (NormFace(D, C, scale=S), peers.NormalizedSoftmaxLoss(**SIZE, temperature=1 / S)),
        (
            SubCenterArcFace(D, C, centers=3, m=0.5, scale=S),
            peers.SubCenterArcFaceLoss(**SIZE, margin=math.degrees(0.5), scale=S, sub_centers=3),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_same_loss_and_gradient(head: Head, peer: Any) -> None:
    peer.W.data = head.weight.detach().flatten(end_dim=-2).T.clone()
    # of unit length: the peer's SphereFace multiplies the logits by it
    ours = F.normalize(torch.randn(N, D)).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    labels = torch.randint(C, (N,))
    loss, reference = head(ours, labels).loss, peer(theirs, labels)
    loss.backward()
    reference.backward()
    torch.testing.assert_close(loss, reference, rtol=1e-5, atol=1e-5)
    assert head.weight.grad is not None
    torch.testing.assert_close(
        head.weight.grad.flatten(end_dim=-2).T, peer.W.grad, rtol=1e-4, atol=1e-5, check_stride=False
    )
    assert theirs.grad is not None
    # the peer's length factor adds a radial part, which no normalised head has
    tangent = theirs.grad - (theirs.grad * theirs).sum(1, keepdim=True) * theirs
    torch.testing.assert_close(ours.grad, tangent, rtol=1e-4, atol=1e-5)

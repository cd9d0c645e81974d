"""ResNet-8 of MLPerf Tiny: three stacks of two convolutions with a way around each."""

import torch
from torch import Tensor, nn


class Stack(nn.Module):
    """Two convolutions, and a way around them that has a convolution where maps get smaller."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, filters, 3, stride, 1)
        self.norm1 = nn.BatchNorm2d(filters)
        self.second = nn.Conv2d(filters, filters, 3, 1, 1)
        self.norm2 = nn.BatchNorm2d(filters)
        self.around = nn.Conv2d(channels, filters, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """The sum of both ways, made not negative."""
        y = torch.relu(self.norm1(self.first(x)))
        return torch.relu(self.norm2(self.second(y)) + self.around(x))


def resnet8(width: int = 16, classes: int = 10) -> nn.Sequential:
    """The net for maps of 3 channels; of MLPerf Tiny with 16 filters at first, on 32 x 32."""
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        Stack(width, width, 1),
        Stack(width, 2 * width, 2),
        Stack(2 * width, 4 * width, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, classes),
    )


def lively(net: nn.Module, seed: int = 1) -> nn.Module:
    """The net with batch norms that do something, in evaluation mode."""
    rng = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3, generator=rng)
            module.running_var.uniform_(0.5, 2.0, generator=rng)
            module.weight.data.uniform_(0.5, 1.5, generator=rng)
            module.bias.data.uniform_(-0.2, 0.2, generator=rng)
    return net.eval()

"""Published sources of the methods, as BibTeX."""

from __future__ import annotations

from collections.abc import Iterable

BIBTEX = {
    "akiba2019": """@inproceedings{akiba2019,
  author = {Akiba, Takuya and Sano, Shotaro and Yanase, Toshihiko and Ohta, Takeru and Koyama, Masanori},
  title = {Optuna: A Next-generation Hyperparameter Optimization Framework},
  booktitle = {Proceedings of the 25th ACM SIGKDD International Conference on Knowledge Discovery and Data Mining},
  pages = {2623--2631}, year = {2019}, doi = {10.1145/3292500.3330701}
}""",
    "baid2021": """@article{baid2021,
  author = {Baid, Ujjwal and others},
  title = {The {RSNA-ASNR-MICCAI BraTS} 2021 Benchmark on Brain Tumor Segmentation and Radiogenomic Classification},
  journal = {arXiv preprint arXiv:2107.02314}, year = {2021}
}""",
    "bates2023": """@article{bates2023,
  author = {Bates, Stephen and Cand{\\`e}s, Emmanuel and Lei, Lihua and Romano, Yaniv and Sesia, Matteo},
  title = {Testing for outliers with conformal p-values},
  journal = {The Annals of Statistics}, volume = {51}, number = {1}, pages = {149--178}, year = {2023},
  doi = {10.1214/22-AOS2244}
}""",
    "baur2021": """@article{baur2021,
  author = {Baur, Christoph and Denner, Stefan and Wiestler, Benedikt and Navab, Nassir and Albarqouni, Shadi},
  title = {Autoencoders for unsupervised anomaly segmentation in brain {MR} images: A comparative study},
  journal = {Medical Image Analysis}, volume = {69}, pages = {101952}, year = {2021},
  doi = {10.1016/j.media.2020.101952}
}""",
    "cardoso2022": """@article{cardoso2022,
  author = {Cardoso, M. Jorge and others},
  title = {{MONAI}: An open-source framework for deep learning in healthcare},
  journal = {arXiv preprint arXiv:2211.02701}, year = {2022}
}""",
    "collins2024": """@article{collins2024,
  author = {Collins, Gary S. and others},
  title = {{TRIPOD+AI} statement: updated guidance for reporting clinical prediction models that use regression or
    machine learning methods},
  journal = {BMJ}, volume = {385}, pages = {e078378}, year = {2024}, doi = {10.1136/bmj-2023-078378}
}""",
    "fisch2024": """@article{fisch2024,
  author = {Fisch, Lukas and others},
  title = {deepbet: Fast brain extraction of {T1}-weighted {MRI} using Convolutional Neural Networks},
  journal = {Computers in Biology and Medicine}, volume = {179}, pages = {108845}, year = {2024},
  doi = {10.1016/j.compbiomed.2024.108845}
}""",
    "fonov2011": """@article{fonov2011,
  author = {Fonov, Vladimir and Evans, Alan C. and Botteron, Kelly and Almli, C. Robert and McKinstry, Robert C. and
    Collins, D. Louis},
  title = {Unbiased average age-appropriate atlases for pediatric studies},
  journal = {NeuroImage}, volume = {54}, number = {1}, pages = {313--327}, year = {2011},
  doi = {10.1016/j.neuroimage.2010.07.033}
}""",
    "lemaitre2017": """@article{lemaitre2017,
  author = {Lema{\\^i}tre, Guillaume and Nogueira, Fernando and Aridas, Christos K.},
  title = {Imbalanced-learn: A {Python} Toolbox to Tackle the Curse of Imbalanced Datasets in Machine Learning},
  journal = {Journal of Machine Learning Research}, volume = {18}, number = {17}, pages = {1--5}, year = {2017}
}""",
    "loshchilov2019": """@inproceedings{loshchilov2019,
  author = {Loshchilov, Ilya and Hutter, Frank},
  title = {Decoupled Weight Decay Regularization},
  booktitle = {International Conference on Learning Representations}, year = {2019}
}""",
    "lowekamp2013": """@article{lowekamp2013,
  author = {Lowekamp, Bradley C. and Chen, David T. and Ib{\\'a}{\\~n}ez, Luis and Blezek, Daniel},
  title = {The Design of {SimpleITK}},
  journal = {Frontiers in Neuroinformatics}, volume = {7}, pages = {45}, year = {2013},
  doi = {10.3389/fninf.2013.00045}
}""",
    "meissen2022": """@inproceedings{meissen2022,
  author = {Meissen, Felix and Kaissis, Georgios and Rueckert, Daniel},
  title = {Challenging Current Semi-supervised Anomaly Segmentation Methods for Brain {MRI}},
  booktitle = {Brainlesion: Glioma, Multiple Sclerosis, Stroke and Traumatic Brain Injuries (BrainLes 2021)},
  pages = {63--74}, year = {2022}, doi = {10.1007/978-3-031-08999-2_5}
}""",
    "paszke2019": """@inproceedings{paszke2019,
  author = {Paszke, Adam and others},
  title = {{PyTorch}: An Imperative Style, High-Performance Deep Learning Library},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {32}, year = {2019}
}""",
    "pedregosa2011": """@article{pedregosa2011,
  author = {Pedregosa, Fabian and others},
  title = {Scikit-learn: Machine Learning in {Python}},
  journal = {Journal of Machine Learning Research}, volume = {12}, pages = {2825--2830}, year = {2011}
}""",
    "tejani2024": """@article{tejani2024,
  author = {Tejani, Ali S. and Klontzas, Michail E. and Gatti, Anthony A. and Mongan, John T. and Moy, Linda and
    Park, Seong Ho and Kahn, Charles E.},
  title = {Checklist for Artificial Intelligence in Medical Imaging ({CLAIM}): 2024 Update},
  journal = {Radiology: Artificial Intelligence}, volume = {6}, number = {4}, pages = {e240300}, year = {2024},
  doi = {10.1148/ryai.240300}
}""",
    "tustison2010": """@article{tustison2010,
  author = {Tustison, Nicholas J. and Avants, Brian B. and Cook, Philip A. and Zheng, Yuanjie and Egan, Alexander and
    Yushkevich, Paul A. and Gee, James C.},
  title = {{N4ITK}: Improved {N3} Bias Correction},
  journal = {IEEE Transactions on Medical Imaging}, volume = {29}, number = {6}, pages = {1310--1320}, year = {2010},
  doi = {10.1109/TMI.2010.2046908}
}""",
    "vovk2012": """@inproceedings{vovk2012,
  author = {Vovk, Vladimir},
  title = {Conditional Validity of Inductive Conformal Predictors},
  booktitle = {Proceedings of the Asian Conference on Machine Learning}, series = {PMLR}, volume = {25},
  pages = {475--490}, year = {2012}
}""",
    "yadan2019": """@misc{yadan2019,
  author = {Yadan, Omry},
  title = {Hydra: A framework for elegantly configuring complex applications}, year = {2019}
}""",
}  # fmt: skip


def bibtex(keys: Iterable[str]) -> str:
    """Return the entries of these keys, each once, sorted by key."""
    return "\n\n".join(BIBTEX[key] for key in sorted(set(keys)))


def cite(*keys: str) -> str:
    """Return a citation in text as Pandoc writes it: ``[@baur2021; @meissen2022]``."""
    unknown = [key for key in keys if key not in BIBTEX]
    if unknown:
        raise ValueError(f"no such reference: {', '.join(unknown)}")
    return f"[{'; '.join(f'@{key}' for key in keys)}]"
